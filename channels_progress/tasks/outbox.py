"""Messages on their way from a task's thread to the store.

There is no lock: a process that is forked while another thread held one could never take it again.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import NamedTuple

from channels_progress.records import Message


class Batch(NamedTuple):
    """Messages numbered without a gap, as ``Store.write`` takes them."""

    messages: tuple[Message, ...]
    numbered_from: int


class Outbox:
    """Keeps the newest messages that the store has not taken yet, and numbers all of them from 1.

    ``put`` may be called from any thread, the rest from one. A number that is missing in front of a batch is a
    message that was dropped; the store counts it as skipped.
    """

    __slots__ = ("_held", "_kept", "_new", "_next", "_numbers")

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._numbers = count(1)
        self._new: deque[tuple[int, Message]] = deque(maxlen=kept)
        self._held: list[tuple[int, Message]] = []
        self._next = 1

    def put(self, message: Message) -> None:
        """Add a message; where there are too many, the oldest one is dropped."""
        self._new.append((next(self._numbers), message))

    def take(self) -> Batch:
        """What is to be sent now. The same, and what came since, until ``confirm`` is called."""
        while self._new:
            self._held.append(self._new.popleft())
        self._held = sorted(self._held, key=lambda numbered: numbered[0])[-self._kept :]
        first = self._held[0][0] if self._held else self._next
        run = [message for place, (number, message) in enumerate(self._held, first) if number == place]
        return Batch(tuple(run), first)

    def confirm(self, batch: Batch) -> None:
        """The store has ``batch``."""
        self._next = batch.numbered_from + len(batch.messages)
        self._held = [(number, message) for number, message in self._held if number >= self._next]

    def __len__(self) -> int:
        return len(self._held) + len(self._new)
