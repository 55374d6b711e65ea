"""Things that are kept for a time, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Generic, TypeVar

#: What has expired is swept at most this often.
SWEEP_S = 60.0

Key = TypeVar("Key")
Value = TypeVar("Value")


class ExpiringValues(Generic[Key, Value]):
    """Values by key, each until its time is over. Not thread-safe.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._values: dict[Key, tuple[Value, float]] = {}
        self._sweep_at = 0.0

    def get(self, key: Key) -> Value | None:
        """What is kept under ``key``."""
        kept = self._values.get(key)
        return kept[0] if kept and kept[1] > self._clock() else None

    def items(self) -> Iterator[tuple[Key, Value]]:
        """All that are kept."""
        now = self._clock()
        return ((key, value) for key, (value, expires_at) in self._values.items() if expires_at > now)

    def keep(self, key: Key, value: Value, ttl_s: float) -> None:
        """Keep ``value``, which may be there already, for so long from now."""
        now = self._clock()
        self._values[key] = (value, now + ttl_s)
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_S
            self.sweep()

    def sweep(self, limit: int | None = None) -> int:
        """Forget what has expired, at most ``limit`` values; returns how many."""
        now = self._clock()
        expired = [*islice((key for key, kept in self._values.items() if kept[1] <= now), limit)]
        for key in expired:
            del self._values[key]
        return len(expired)

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
