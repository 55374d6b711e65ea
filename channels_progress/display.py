"""What a person reads of a task: its state as ready texts, in the active language.

``describeTask`` of the client follows the same rules, so that nothing jumps when it takes over; both are tested
against ``tests/web/display_cases.json``. The rules (numbers and times are those of ``formats.py``):

- *status*: the ending; else *stalled* or *lost*; else *cancelling*; else starting in …, waiting, retrying (in …) or
  running.
- *hint*: what *stalled* or *lost* means, then what *cancelling* means, where the task is both. While it waits, and
  ``HINT_AFTER_S`` after it was sent (or was to start, or to be tried again) no worker has taken it, that. This says
  nothing of the workers: it is known from the record alone, and true of this task, whoever else is being served.
- *attempt*: from the second one on; while retrying the coming one.
- *bar*: 1 on SUCCESS; else ``fraction``, at most 0.99; where that is null: no value (indeterminate) while running, 0
  otherwise.
- *percent*: ``floor(fraction * 100 + 1e-9)`` (0.29 * 100 is 28.999…), at most 99 until SUCCESS, which is 100; empty
  where the fraction is null.
- *stage_percent*: stage and percent, where there is a stage: what the bar's number alone does not tell.
- *count*: ``current`` of ``total``, or ``current`` alone, with the unit.
- *rate* and *eta*: only while running and live; no rate below 0.05, no time left below a second. Rates from 10 up have
  no decimals.
- *elapsed*: since ``began_at``; at the end how long it took; empty before the first begin and while it waits.
- *stage* and *message*: empty on SUCCESS, where they are no longer true.
- *reason*: as given; on FAILURE without one a general text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from channels_progress.formats import format_bytes, format_duration, format_number, group
from channels_progress.records import ENDED_STATES, RUNNING_STATES, Liveness, TaskState
from channels_progress.texts import write_text
from channels_progress.units import BYTE_UNITS, WHOLE_RATE

#: Seconds after which a task that waits says that no worker has taken it.
HINT_AFTER_S = 15

#: What a task is doing or how it ended, while nothing else (silence, a cancel) is to be said of it; keys of ``TEXTS``.
STATUS_KEYS = {
    TaskState.PENDING: "waiting",
    TaskState.STARTED: "running",
    TaskState.PROGRESS: "running",
    TaskState.RETRY: "retrying",
    TaskState.SUCCESS: "succeeded",
    TaskState.FAILURE: "failed",
    TaskState.REVOKED: "cancelled",
    TaskState.IGNORED: "ignored",
}
# Where a bar stands while the end is not known.
_NEARLY_DONE = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDisplay:
    """Texts for one task; an empty one means that there is nothing to show.

    Attributes:
        status: What the task is doing or how it ended.
        hint: A sentence or two on what that means, where it is not plain.
        bar: Value of ``<progress max="1">``; None while indeterminate.
        stage_percent: What a screen reader says of the bar, where its number is not all.
        counters: (name, number as text) pairs.
    """

    status: str
    hint: str = ""
    attempt: str = ""
    title: str = ""
    bar: float | None = 0
    percent: str = ""
    stage_percent: str = ""
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
    return TaskDisplay(status=write_text("unknown"))


def describe_task(state: Mapping[str, Any], now: int, attempt: int = 1) -> TaskDisplay:
    """The texts for the ``state`` object of a task frame.

    Args:
        now: UTC milliseconds, the server's clock.
        attempt: That of the frame.
    """
    name = TaskState(state["state"])
    is_live = name in RUNNING_STATES and state["liveness"] == Liveness.LIVE
    stage = "" if name == TaskState.SUCCESS else _format_stage(state.get("stage"))
    percent = _format_percent(name, state.get("fraction"))
    return TaskDisplay(
        status=_find_status(name, state, now),
        hint=_find_hint(name, state, now, attempt),
        attempt=_format_attempt(name, attempt),
        title=state.get("title") or "",
        bar=_find_bar(name, state.get("fraction")),
        percent=percent,
        stage_percent=write_text("stage_percent", stage=stage, percent=percent) if stage and percent else stage,
        count=_format_count(state),
        rate=_format_rate(state) if is_live else "",
        eta=_format_eta(state) if is_live else "",
        elapsed=_format_elapsed(name, state, now),
        stage=stage,
        message="" if name == TaskState.SUCCESS else state.get("message") or "",
        reason=state["reason"] or (write_text("failed_reason") if name == TaskState.FAILURE else ""),
        counters=_format_counters(state),
    )


def _find_status(name: TaskState, state: Mapping[str, Any], now: int) -> str:
    if name in ENDED_STATES:
        return write_text(STATUS_KEYS[name])
    if state["liveness"] in (Liveness.STALLED, Liveness.LOST):
        return write_text(state["liveness"])
    if state["cancelling"]:
        return write_text("cancelling")
    if name == TaskState.PENDING and (starts_at := state.get("starts_at") or 0) > now:
        return write_text("starting_in", time=format_duration((starts_at - now) / 1000))
    if name == TaskState.RETRY and state["retry_at"] > now:
        return write_text("retrying_in", time=format_duration((state["retry_at"] - now) / 1000))
    return write_text(STATUS_KEYS[name])


def _find_hint(name: TaskState, state: Mapping[str, Any], now: int, attempt: int) -> str:
    if name not in RUNNING_STATES:
        due_at = _find_due(name, state, attempt)
        return write_text("waiting_hint") if due_at and now - due_at >= HINT_AFTER_S * 1000 else ""
    is_silent = state["liveness"] in (Liveness.STALLED, Liveness.LOST)
    keys = [f"{state['liveness']}_hint"] * is_silent + ["cancelling_hint"] * bool(state["cancelling"])
    return " ".join(map(write_text, keys))


def _find_due(name: TaskState, state: Mapping[str, Any], attempt: int) -> Any:
    """When a worker could have taken it, UTC milliseconds; 0 where that is not known."""
    if name == TaskState.RETRY:
        return state["retry_at"] or 0
    if name == TaskState.PENDING and not attempt:
        return max(state["created_at"], state.get("starts_at") or 0)
    return 0


def _format_attempt(name: TaskState, attempt: int) -> str:
    number = attempt + 1 if name == TaskState.RETRY else attempt
    return write_text("attempt", number=number) if number > 1 else ""


def _find_bar(name: TaskState, fraction: float | None) -> float | None:
    if name == TaskState.SUCCESS:
        return 1
    if fraction is None:
        return None if name in RUNNING_STATES else 0
    return min(fraction, _NEARLY_DONE)


def _format_percent(name: TaskState, fraction: float | None) -> str:
    if name == TaskState.SUCCESS:
        return write_text("percent", percent=100)
    return "" if fraction is None else write_text("percent", percent=min(99, math.floor(fraction * 100 + 1e-9)))


def _format_count(state: Mapping[str, Any]) -> str:
    current, total, unit = state.get("current"), state.get("total"), state.get("unit")
    if current is None:
        return ""
    write = format_bytes if unit in BYTE_UNITS else format_number
    count = write(current) if total is None else write_text("count", current=write(current), total=write(total))
    return count if not unit or unit in BYTE_UNITS else write_text("counted", count=count, unit=unit)


def _format_rate(state: Mapping[str, Any]) -> str:
    rate, unit = state.get("rate"), state.get("unit")
    if rate is None or rate < 0.05:
        return ""
    if unit in BYTE_UNITS:
        return write_text("rate", rate=format_bytes(rate))
    number = group(rate, 0 if rate >= WHOLE_RATE else 1)
    if not unit:
        return write_text("rate", rate=number)
    return write_text("rate_unit", rate=number, unit=state.get("rate_unit") or unit)


def _format_eta(state: Mapping[str, Any]) -> str:
    eta_s = state.get("eta_s")
    return "" if eta_s is None or eta_s < 1 else write_text("eta", time=format_duration(eta_s))


def _format_elapsed(name: TaskState, state: Mapping[str, Any], now: int) -> str:
    if not state["began_at"] or name in (TaskState.PENDING, TaskState.RETRY):
        return ""
    if name in ENDED_STATES:
        return write_text("took", time=format_duration((state["ended_at"] - state["began_at"]) / 1000))
    return write_text("elapsed", time=format_duration((now - state["began_at"]) / 1000))


def _format_stage(stage: Mapping[str, Any] | None) -> str:
    if not stage:
        return ""
    if stage.get("count"):
        return write_text("stage_of", index=stage["index"], count=stage["count"], name=stage["name"])
    return write_text("stage", index=stage["index"], name=stage["name"])


def _format_counters(state: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    counters = state.get("counters") or {}
    return tuple((name, format_number(counters[name])) for name in state.get("counter_names") or counters)
