"""Looks at one task in the store, again and again, until it has ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic, sleep

from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import ENDED_STATES, Snapshot
from channels_progress.store import get_store


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look found.

    Attributes:
        snapshot: The task, with the messages that no sight before had; None where there is no record, or no answer.
        away: Why the store did not answer; empty where it did.
    """

    snapshot: Snapshot | None = None
    away: str = ""

    @property
    def is_end(self) -> bool:
        """Whether the task has ended."""
        return self.snapshot is not None and self.snapshot.record.state in ENDED_STATES


def follow(uid: str, *, interval_s: float, timeout_s: float | None = None) -> Iterator[Sight]:
    """A sight every ``interval_s``, the last one with the end, or when ``timeout_s`` are over; None waits for ever.

    Raises:
        ImproperlyConfigured: The settings name no usable store.
    """
    deadline = None if timeout_s is None else monotonic() + timeout_s
    since: tuple[str, int] | None = None
    while True:
        sight = look(uid, since)
        yield sight
        if sight.snapshot:
            since = find_position(sight.snapshot, since)
        remaining_s = interval_s if deadline is None else deadline - monotonic()
        if sight.is_end or remaining_s <= 0:
            return
        sleep(min(interval_s, remaining_s))


def look(uid: str, since: tuple[str, int] | None) -> Sight:
    """The task as it is now, with the messages after this epoch and offset."""
    try:
        return Sight(get_store().read(uid, since=since))
    except StoreUnavailable as error:
        return Sight(away=str(error) or type(error).__name__)


def find_position(snapshot: Snapshot, since: tuple[str, int] | None) -> tuple[str, int]:
    """The epoch and the last offset that are known after this snapshot."""
    epoch = snapshot.record.epoch
    if snapshot.messages:
        return epoch, snapshot.messages[-1].offset
    return since if since and since[0] == epoch else (epoch, 0)
