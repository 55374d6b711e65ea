"""How fast a count grows, smoothed as tqdm does it."""

from __future__ import annotations

#: Weight of the newest observation, tqdm's default.
SMOOTHING = 0.3


class Average:
    """An exponential moving average whose start is corrected for having no past."""

    __slots__ = ("_remaining", "_sum")

    def __init__(self) -> None:
        self._sum = 0.0
        self._remaining = 1.0

    def add(self, value: float) -> None:
        self._sum += SMOOTHING * (value - self._sum)
        self._remaining *= 1 - SMOOTHING

    @property
    def value(self) -> float:
        """0 before the first observation."""
        return self._sum / (1 - self._remaining) if self._remaining < 1 else 0.0


class Rate:
    """Units per second of a growing count. A count that falls starts it anew."""

    __slots__ = ("_count", "_gain", "_now", "_span")

    def __init__(self, started_at: float, count: float = 0) -> None:
        self._restart(started_at, count)

    def _restart(self, now: float, count: float) -> None:
        self._gain, self._span = Average(), Average()
        self._now, self._count = now, count

    def observe(self, now: float, count: float) -> None:
        """At ``now`` (``time.monotonic()`` seconds) the count was ``count``. An unchanged count tells nothing."""
        if count < self._count:
            self._restart(now, count)
        elif count > self._count and now > self._now:
            self._gain.add(count - self._count)
            self._span.add(now - self._now)
            self._now, self._count = now, count

    @property
    def per_second(self) -> float | None:
        """None until two counts are known."""
        return self._gain.value / self._span.value if self._span.value else None

    def estimate_s(self, remaining: float | None) -> float | None:
        """Seconds until ``remaining`` more are counted; None where that is not known."""
        rate = self.per_second
        return remaining / rate if rate and remaining is not None and remaining >= 0 else None
