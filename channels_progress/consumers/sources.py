"""What a channel can show, and how the store is asked for it: a task, or a person's list of tasks.

The hub, its resync and the sockets know channels, sights and readings only; a source knows what they are made of.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from channels_progress.consumers.protocol import missing_text
from channels_progress.events import (
    LIST_CHANNEL_PREFIX,
    TASK_CHANNEL_PREFIX,
    encode_json,
    find_liveness,
    list_frame,
    snapshot_liveness,
    task_frame,
)
from channels_progress.records import ListVersion, Liveness, Snapshot, TaskState, Version
from channels_progress.store import Store

#: Epoch and offset of the last message known.
Since = tuple[str, int]


class Sight(NamedTuple):
    """What a page that has had a frame shows: its version, and its liveness (None where the task does not run).

    A list of tasks has no attempts, and no silence.
    """

    epoch: str
    attempt: int
    seq: int
    liveness: Liveness | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A frame made from the store.

    Attributes:
        sight: What a page shows once it has the frame.
        offset: Of the last message in it; 0 without messages.
        text: The frame.
    """

    sight: Sight
    offset: int
    text: str


class Source(Protocol):
    """One kind of channel. ``prefix`` is what their names begin with."""

    prefix: str

    def read(self, store: Store, wanted: Mapping[str, Since | None]) -> Iterator[tuple[str, Reading | None]]:
        """A reading of each channel, with the messages after the position given for it; None: nothing is there.

        Raises:
            StoreUnavailable: The store did not answer, perhaps after some readings.
        """

    def look(self, store: Store, channels: Sequence[str]) -> Iterator[tuple[str, Sight]]:
        """What a page should show, for those channels where something is there, in one round trip.

        Raises:
            StoreUnavailable: The store did not answer.
        """

    def tell_missing(self, channel: str, missing_s: float) -> str | None:
        """What to tell the pages of a channel where for so long nothing is there any more."""


class TaskSource:
    """Tasks, each with its record."""

    prefix = TASK_CHANNEL_PREFIX

    def read(self, store: Store, wanted: Mapping[str, Since | None]) -> Iterator[tuple[str, Reading | None]]:
        """See ``Source.read``."""
        for channel, since in wanted.items():
            snapshot = store.read(self._get_uid(channel), since=since)
            yield channel, _read_task(snapshot) if snapshot else None

    def look(self, store: Store, channels: Sequence[str]) -> Iterator[tuple[str, Sight]]:
        """See ``Source.look``."""
        versions = store.versions([self._get_uid(channel) for channel in channels])
        for channel, version in zip(channels, versions, strict=True):
            if version:
                yield channel, _look_at_task(version)

    def tell_missing(self, channel: str, missing_s: float) -> str | None:
        """Nobody can say how a task goes on whose record is gone: if it ran, that is silence, too."""
        liveness = find_liveness(TaskState.PROGRESS, int(missing_s * 1000))
        return missing_text(channel, liveness) if liveness and liveness is not Liveness.LIVE else None

    def _get_uid(self, channel: str) -> str:
        return channel.removeprefix(self.prefix)


class ListSource:
    """Lists of tasks. A frame only says how new one is. One on which nothing was ever put has no reading."""

    prefix = LIST_CHANNEL_PREFIX

    def read(self, store: Store, wanted: Mapping[str, Since | None]) -> Iterator[tuple[str, Reading | None]]:
        """See ``Source.read``."""
        for channel, version in self._ask(store, list(wanted)):
            yield channel, _read_list(channel, version) if version else None

    def look(self, store: Store, channels: Sequence[str]) -> Iterator[tuple[str, Sight]]:
        """See ``Source.look``."""
        for channel, version in self._ask(store, channels):
            if version:
                yield channel, _look_at_list(version)

    def tell_missing(self, channel: str, missing_s: float) -> str | None:
        """Nothing: the tasks have channels of their own, and the next one makes another list."""

    def _ask(self, store: Store, channels: Sequence[str]) -> Iterator[tuple[str, ListVersion | None]]:
        versions = store.list_versions([channel.removeprefix(self.prefix) for channel in channels])
        return zip(channels, versions, strict=True)


SOURCES: tuple[Source, ...] = (TaskSource(), ListSource())


def find_source(channel: str) -> Source | None:
    """The source of this channel; None where there is nothing to watch."""
    return next((source for source in SOURCES if channel.startswith(source.prefix) and channel != source.prefix), None)


def sort_channels(channels: Iterable[str]) -> dict[Source, list[str]]:
    """The channels by their source; those of none are left out."""
    by_source: dict[Source, list[str]] = {}
    for channel in channels:
        if source := find_source(channel):
            by_source.setdefault(source, []).append(channel)
    return by_source


def _read_task(snapshot: Snapshot) -> Reading:
    record = snapshot.record
    liveness = snapshot_liveness(snapshot)
    return Reading(
        Sight(record.epoch, record.attempt, record.seq, liveness),
        snapshot.messages[-1].offset if snapshot.messages else 0,
        encode_json(task_frame(snapshot, liveness)),
    )


def _look_at_task(version: Version) -> Sight:
    liveness = find_liveness(version.state, version.heartbeat_age_ms)
    return Sight(version.epoch, version.attempt, version.seq, liveness)


def _read_list(channel: str, version: ListVersion) -> Reading:
    now = int(time.time() * 1000)
    return Reading(_look_at_list(version), 0, encode_json(list_frame(channel, version, now)))


def _look_at_list(version: ListVersion) -> Sight:
    # As a hint of it is taken.
    return Sight(version.epoch, 0, version.seq, Liveness.LIVE)
