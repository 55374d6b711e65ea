"""What a person reads of a task: its state as ready texts, in the active language.

``describeTask`` of the client follows the same rules, so that nothing jumps when it takes over; both are tested
against ``tests/web/display_cases.json``. The rules:

- *status*: the ending; else *lost* or *stalled*; else *cancelling*; else waiting, retrying (in …) or running.
- *bar*: 1 on SUCCESS; else ``fraction``, at most 0.99; where that is null: no value (indeterminate) while running, 0
  otherwise.
- *percent*: ``floor(fraction * 100 + 1e-9)`` (0.29 * 100 is 28.999…), at most 99 until SUCCESS, which is 100; empty
  where the fraction is null.
- *count*: ``current`` of ``total``, or ``current`` alone.
- *rate* and *eta*: only while running and live; no rate below 0.05, no time left below a second.
- *elapsed*: since ``began_at``; at the end how long it took; empty before the first begin and while it waits.
- *stage* and *message*: empty on SUCCESS, where they are no longer true.
- *reason*: as given; on FAILURE without one a general text.
- numbers: integers in groups of three, others with one decimal; rates from 10 up without.
- bytes (units ``BYTE_UNITS``): powers of 1024, below 1024 whole, else one decimal.
- durations: ``m:ss``, ``h:mm:ss``, from a day on ``{days} d h:mm:ss``; whole seconds, rounded down, never negative.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import numberformat
from django.utils.formats import get_format

from channels_progress.records import ENDED_STATES, RUNNING_STATES, Liveness, TaskState
from channels_progress.texts import BYTE_UNITS, TEXTS

_STATUS = {
    TaskState.PENDING: "waiting",
    TaskState.STARTED: "running",
    TaskState.PROGRESS: "running",
    TaskState.RETRY: "retrying",
    TaskState.SUCCESS: "succeeded",
    TaskState.FAILURE: "failed",
    TaskState.REVOKED: "cancelled",
    TaskState.IGNORED: "ignored",
}
_BYTE_STEPS = ("b", "kb", "mb", "gb", "tb", "pb")
_DAY_S = 86_400
# Where a bar stands while the end is not known.
_NEARLY_DONE = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDisplay:
    """Texts for one task; an empty one means that there is nothing to show.

    Attributes:
        status: What the task is doing or how it ended.
        bar: Value of ``<progress max="1">``; None while indeterminate.
        counters: (name, number as text) pairs.
    """

    status: str
    title: str = ""
    bar: float | None = 0
    percent: str = ""
    count: str = ""
    rate: str = ""
    eta: str = ""
    elapsed: str = ""
    stage: str = ""
    message: str = ""
    reason: str = ""
    counters: tuple[tuple[str, str], ...] = ()


def describe_unknown() -> TaskDisplay:
    """For a task whose state cannot be read right now."""
    return TaskDisplay(status=_text("unknown"))


def describe_task(state: Mapping[str, Any], now: int) -> TaskDisplay:
    """The texts for the ``state`` object of a task frame, at ``now`` (UTC milliseconds, the server's clock)."""
    name = TaskState(state["state"])
    is_live = name in RUNNING_STATES and state["liveness"] == Liveness.LIVE
    succeeded = name == TaskState.SUCCESS
    return TaskDisplay(
        status=_find_status(name, state, now),
        title=state.get("title") or "",
        bar=_find_bar(name, state.get("fraction")),
        percent=_format_percent(name, state.get("fraction")),
        count=_format_count(state),
        rate=_format_rate(state) if is_live else "",
        eta=_format_eta(state) if is_live else "",
        elapsed=_format_elapsed(name, state, now),
        stage="" if succeeded else _format_stage(state.get("stage")),
        message="" if succeeded else state.get("message") or "",
        reason=state["reason"] or (_text("failed_reason") if name == TaskState.FAILURE else ""),
        counters=tuple((key, format_number(value)) for key, value in (state.get("counters") or {}).items()),
    )


def format_number(value: float) -> str:
    """``1,234`` or ``1,234.5``, with the separators of the active language."""
    return _group(value, 0 if float(value).is_integer() else 1)


def format_bytes(size: float) -> str:
    """``812 B``, ``1.2 MB``: powers of 1024, as Django's ``filesizeformat``."""
    step = 0
    while size >= 1024 and step < len(_BYTE_STEPS) - 1:
        size /= 1024
        step += 1
    return _text("bytes_" + _BYTE_STEPS[step], size=_group(size, 1 if step else 0))


def format_duration(seconds: float) -> str:
    """``0:07``, ``12:30``, ``1:02:03``, ``2 d 0:00:05``."""
    days, rest = divmod(max(0, int(seconds)), _DAY_S)
    hours, minutes = divmod(rest // 60, 60)
    tail = f"{minutes:02}:{rest % 60:02}"
    if days:
        return _text("days", days=days, time=f"{hours}:{tail}")
    return f"{hours}:{tail}" if hours else f"{minutes}:{rest % 60:02}"


def _text(key: str, **values: Any) -> str:
    # Not str.format: a translator's slip in braces must not break the page, and the client replaces just so.
    text = str(TEXTS[key])
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def _group(value: float, decimals: int) -> str:
    rounded = round(value, decimals) if decimals else round(value)
    return numberformat.format(
        rounded,
        get_format("DECIMAL_SEPARATOR"),
        decimals,
        grouping=3,
        thousand_sep=get_format("THOUSAND_SEPARATOR"),
        force_grouping=True,
    )


def _find_status(name: TaskState, state: Mapping[str, Any], now: int) -> str:
    if name in ENDED_STATES:
        return _text(_STATUS[name])
    if state["liveness"] in (Liveness.STALLED, Liveness.LOST):
        return _text(state["liveness"])
    if state["cancelling"]:
        return _text("cancelling")
    if name == TaskState.RETRY and state["retry_at"] > now:
        return _text("retrying_in", time=format_duration((state["retry_at"] - now) / 1000))
    return _text(_STATUS[name])


def _find_bar(name: TaskState, fraction: float | None) -> float | None:
    if name == TaskState.SUCCESS:
        return 1
    if fraction is None:
        return None if name in RUNNING_STATES else 0
    return min(fraction, _NEARLY_DONE)


def _format_percent(name: TaskState, fraction: float | None) -> str:
    if name == TaskState.SUCCESS:
        return _text("percent", percent=100)
    return "" if fraction is None else _text("percent", percent=min(99, math.floor(fraction * 100 + 1e-9)))


def _format_count(state: Mapping[str, Any]) -> str:
    current, total = state.get("current"), state.get("total")
    if current is None:
        return ""
    write = format_bytes if state.get("unit") in BYTE_UNITS else format_number
    return write(current) if total is None else _text("count", current=write(current), total=write(total))


def _format_rate(state: Mapping[str, Any]) -> str:
    rate, unit = state.get("rate"), state.get("unit")
    if rate is None or rate < 0.05:
        return ""
    if unit in BYTE_UNITS:
        return _text("rate", rate=format_bytes(rate))
    number = _group(rate, 0 if rate >= 10 else 1)
    return _text("rate_unit", rate=number, unit=unit) if unit else _text("rate", rate=number)


def _format_eta(state: Mapping[str, Any]) -> str:
    eta_s = state.get("eta_s")
    return "" if eta_s is None or eta_s < 1 else _text("eta", time=format_duration(eta_s))


def _format_elapsed(name: TaskState, state: Mapping[str, Any], now: int) -> str:
    if not state["began_at"] or name in (TaskState.PENDING, TaskState.RETRY):
        return ""
    if name in ENDED_STATES:
        return _text("took", time=format_duration((state["ended_at"] - state["began_at"]) / 1000))
    return _text("elapsed", time=format_duration((now - state["began_at"]) / 1000))


def _format_stage(stage: Mapping[str, Any] | None) -> str:
    if not stage:
        return ""
    if stage.get("count"):
        return _text("stage_of", index=stage["index"], count=stage["count"], name=stage["name"])
    return _text("stage", index=stage["index"], name=stage["name"])
