"""What a reporter counts: the numbers that every call moves, kept apart so that a sample of them is whole.

A ``Bar`` has one total for its life; a new total makes a new ``Bar`` of the same ``Run``, and a new stage or a new
``track`` a new ``Run``. A sample reads one reference, so it can mix neither two totals nor two stages.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from operator import length_hint
from typing import Any

from channels_progress.tasks.stages import Stage
from channels_progress.units import Noun
from channels_progress.values import MAX_NUMBER

#: A ``Bar.least`` that no number reaches: the next call takes the slow path, which looks what there is to do.
BARRED = math.inf

Number = int | float


class Run:
    """One stretch of counting: within one stage, or one ``track``.

    Attributes:
        stage: The stage it belongs to.
        started_at: ``time.monotonic()`` seconds.
        active: A ``track`` is iterating.
        done: Its stage was left without an exception.
        parent: The bar of the ``track`` around this one.
        base: What ``parent`` had counted when this run began.
    """

    __slots__ = ("active", "base", "done", "parent", "stage", "started_at")

    def __init__(self, stage: Stage | None = None, parent: Bar | None = None) -> None:
        self.stage = stage
        self.started_at = time.monotonic()
        self.active = False
        self.done = False
        self.parent = parent
        self.base = min(parent.current, MAX_NUMBER) if parent else 0


class Bar:
    """The newest numbers of a run. ``current`` is the only attribute that the fast path writes.

    Attributes:
        current: How much is done, a clean number.
        total: Of how much; None while unknown.
        least: From which on an ``int`` is stored without further ado: 0 or ``BARRED``. Small numbers compare fastest,
            so what is too large is only found out when a sample is taken.
        message: One line on what is being done now, as it was given.
        unit: What is counted, as ``units.read_unit`` has it.
        clamped: A number was larger than a browser can hold.
    """

    __slots__ = ("clamped", "current", "least", "message", "run", "total", "unit")

    def __init__(
        self,
        run: Run,
        total: Number | None = None,
        *,
        current: Number = 0,
        message: str | None = None,
        unit: str | Noun | None = None,
    ) -> None:
        self.run = run
        self.current = current
        self.total = total
        self.least: float = 0
        self.message = message
        self.unit = unit
        self.clamped = False

    def measure_part(self) -> float | None:
        """How much of this bar is done, 0 to 1; None while that cannot be known."""
        return find_share(self.current, self.total)


def find_share(done: Number, total: Number | None) -> float | None:
    """``done / total``, at most 1."""
    if not total:
        return None
    # Compared first: an integer too large for a float cannot be divided.
    return 1.0 if done >= total else done / total


def measure_part(bar: Bar) -> float | None:
    """How much of the outermost bar around ``bar`` is done: an inner ``track`` divides one step of the outer one."""
    part = bar.measure_part()
    while outer := bar.run.parent:
        part = find_share(max(outer.current, bar.run.base + (part or 0)), outer.total)
        bar = outer
    return part


def find_outermost(bar: Bar) -> Bar:
    """The bar that a page shows: that of the outermost ``track``."""
    while bar.run.parent:
        bar = bar.run.parent
    return bar


def find_length(iterable: Iterable[Any]) -> tuple[int | None, bool]:
    """How many items to expect, None if unknown, and whether that is exact."""
    try:
        return len(iterable), True  # type: ignore[arg-type]
    except TypeError:
        hint = length_hint(iterable, -1)
    return (None if hint < 0 else hint), False
