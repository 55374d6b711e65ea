"""Things that are kept for a time, in memory."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

#: What has expired is swept at most this often.
SWEEP_S = 60.0

Value = TypeVar("Value")


class ExpiringValues(Generic[Value]):
    """Values by key, each until its time is over. Not thread-safe.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._values: dict[Hashable, tuple[Value, float]] = {}
        self._sweep_at = 0.0

    def get(self, key: Hashable) -> Value | None:
        """What is kept under ``key``."""
        value, expires_at = self._values.get(key, (None, 0.0))
        return value if expires_at > self._clock() else None

    def keep(self, key: Hashable, value: Value, ttl_s: float) -> None:
        """Keep ``value``, which may be there already, for so long from now."""
        now = self._clock()
        self._values[key] = (value, now + ttl_s)
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_S
            self._values = {key: kept for key, kept in self._values.items() if kept[1] > now}

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
