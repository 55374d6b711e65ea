"""How fast a count grows, smoothed as tqdm does it."""

from __future__ import annotations

import math

#: Weight of the newest observation, tqdm's default.
SMOOTHING = 0.3


class Rate:
    """Units per second of a growing count. A count that falls starts it anew.

    Exponential moving averages of gains and of the spans they took; their quotient needs no correction for the short
    past at the start, which is the same for both.
    """

    __slots__ = ("_count", "_gain", "_now", "_span")

    def __init__(self, started_at: float, count: float = 0) -> None:
        self._restart(started_at, count)

    def _restart(self, now: float, count: float) -> None:
        self._gain = self._span = 0.0
        self._now, self._count = now, count

    def observe(self, now: float, count: float) -> None:
        """At ``now`` (``time.monotonic()`` seconds) the count was ``count``. An unchanged count tells nothing."""
        if count < self._count:
            self._restart(now, count)
        elif count > self._count and now > self._now:
            self._gain += SMOOTHING * (count - self._count - self._gain)
            self._span += SMOOTHING * (now - self._now - self._span)
            self._now, self._count = now, count

    @property
    def per_second(self) -> float | None:
        """None until two counts are known."""
        return self._gain / self._span if self._span else None

    def estimate_s(self, remaining: float | None) -> float | None:
        """Seconds until ``remaining`` more are counted; None where that is not known."""
        rate = self.per_second
        if not rate or remaining is None or remaining < 0:
            return None
        # A rate may be so small that no number is large enough.
        return estimate if math.isfinite(estimate := remaining / rate) else None
