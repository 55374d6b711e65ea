"""What a reporter says, as the body of a record (``events.BODY_KEYS``): sampled now and then, by one thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from channels_progress.conf import get_settings
from channels_progress.tasks.bar import Bar, Number, find_outermost, measure_part
from channels_progress.tasks.rate import Rate
from channels_progress.tasks.stages import Plan
from channels_progress.units import UNIT_MAX_CHARS, write_forms
from channels_progress.values import MAX_NUMBER, clean_text


@dataclass(slots=True)
class Facts:
    """What a reporter says besides its bar; each thing is set by itself, so that threads do not undo each other's.

    Attributes:
        clamped: Counters were left out or larger than a browser can hold.
    """

    title: str = ""
    counters: dict[str, Number] = field(default_factory=dict)
    redirect: str = ""
    clamped: bool = False


class Sampler:
    """Turns the newest numbers into bodies: adds fraction, rate and estimated time.

    The fraction over declared stages never falls from one sample to the next.

    Args:
        language: That of the task's owner, for units: whoever samples has none of its own.
    """

    def __init__(self, plan: Plan, started_at: float, language: str | None) -> None:
        self._plan = plan
        self._language = language
        self._key: object = None
        self._run: object = None
        self._rate = Rate(started_at)
        self._overall = Rate(started_at)
        self._highest = 0.0

    def sample(self, bar: Bar, facts: Facts, now: float) -> dict[str, Any] | None:
        """The body at ``now`` (``time.monotonic()`` seconds), or None where nothing changed since the last sample."""
        shown = find_outermost(bar)
        count, run = shown.current, shown.run
        # One step, as far as other threads can see.
        facts = replace(facts, counters=dict(facts.counters))
        key = (bar, bar.current, bar.message, shown, count, shown.message, shown.unit, shown.clamped, run.done, facts)
        if key == self._key:
            return None
        self._key = key
        current = min(count, MAX_NUMBER)
        if run is not self._run:
            self._run, self._rate = run, Rate(run.started_at)
        self._rate.observe(now, current)
        fraction = self._find_fraction(bar)
        if self._plan.declared:
            self._overall.observe(now, self._highest)
        rate = round_rate(self._rate.per_second)
        unit, rate_unit = self._word_unit(shown, current, rate)
        body = {
            "title": facts.title or None,
            "message": clean_optional(bar.message or shown.message, "message", get_settings().MESSAGE_MAX_CHARS),
            "unit": clean_optional(unit, "unit", UNIT_MAX_CHARS),
            "rate_unit": clean_optional(rate_unit, "unit", UNIT_MAX_CHARS),
            "current": current if current or shown.total is not None else None,
            "total": shown.total,
            "fraction": None if fraction is None else round(fraction, 5),
            "stage": describe_stage(shown),
            "rate": rate,
            "eta_s": round_rate(self._estimate_s(current, shown.total)),
            "counters": dict(facts.counters) or None,
            "counter_names": list_names(facts.counters),
            "redirect": facts.redirect or None,
            "clamped": is_clamped(shown, count) or facts.clamped or None,
        }
        return {name: value for name, value in body.items() if value is not None}

    def _word_unit(self, bar: Bar, current: Number, rate: float | None) -> tuple[str, str]:
        if bar.unit is None:
            return "", ""
        return write_forms(bar.unit, current if bar.total is None else bar.total, rate, self._language)

    def _find_fraction(self, bar: Bar) -> float | None:
        part = measure_part(bar)
        if not self._plan.declared:
            return part
        done, total = measure_done(bar, self._plan)
        self._highest = max(self._highest, min(1.0, done / total))
        return self._highest if self._highest or part is not None else None

    def _estimate_s(self, current: Number, total: Number | None) -> float | None:
        if self._plan.declared:
            return self._overall.estimate_s(1 - self._highest)
        return self._rate.estimate_s(None if total is None else total - current)


def measure_done(bar: Bar, plan: Plan) -> tuple[float, float]:
    """What is done of all stages, and what they are worth."""
    shown = find_outermost(bar)
    if (stage := shown.run.stage) is None:
        return plan.done, plan.total
    part = 1 if shown.run.done else measure_part(bar) or 0
    return stage.base + stage.weight * part, stage.total


def describe_stage(bar: Bar) -> dict[str, Any] | None:
    """The ``stage`` of a body."""
    stage = bar.run.stage
    if stage is None:
        return None
    return {"name": stage.name, "index": stage.index, "count": stage.count, "declared": stage.declared}


def list_names(counters: Mapping[str, Number]) -> list[str] | None:
    """The counters' names in order, where an object of JavaScript would not keep it: it puts numbers first."""
    return list(counters) if any(name.isdigit() for name in counters) else None


def is_clamped(bar: Bar, current: Number) -> bool:
    return bar.clamped or current > (MAX_NUMBER if bar.total is None else bar.total)


def clean_optional(text: str | None, name: str, max_chars: int) -> str | None:
    return clean_text(text, name, max_chars) if text else None


def round_rate(value: float | None) -> float | None:
    """Four significant digits: enough for a page, short in a frame."""
    return None if value is None else float(f"{value:.4g}")
