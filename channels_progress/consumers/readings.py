"""Readings of the store for the hub: made in a few threads of its own, so that a slow store holds up no ORM work."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, ParamSpec, TypeVar

from channels_progress.conf import get_settings
from channels_progress.events import TASK_CHANNEL_PREFIX, encode_json, task_frame
from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import Liveness, Snapshot, TaskState, Version, derive_liveness
from channels_progress.store import Store

THREADS = 4

Params = ParamSpec("Params")
Result = TypeVar("Result")
#: Epoch and offset of the last message known.
Since = tuple[str, int]


class Sight(NamedTuple):
    """What a page that has had a frame shows: its version, and its liveness (None where the task does not run)."""

    epoch: str
    attempt: int
    seq: int
    liveness: Liveness | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A task frame made from the store.

    Attributes:
        sight: What a page shows once it has the frame.
        offset: Of the last message in it; 0 without messages.
        text: The frame.
    """

    sight: Sight
    offset: int
    text: str


def get_uid(channel: str) -> str | None:
    """The uid of the task that this channel shows; None for a channel of another kind."""
    uid = channel.removeprefix(TASK_CHANNEL_PREFIX)
    return uid if uid and uid != channel else None


def find_liveness(state: TaskState, age_ms: int) -> Liveness | None:
    """How alive a task in this state looks that was last heard from so long ago, by the settings."""
    settings = get_settings()
    return derive_liveness(state, age_ms, stalled_after_s=settings.STALLED_AFTER_S, lost_after_s=settings.LOST_AFTER_S)


class Reader:
    """Asks a store from an event loop. Every call runs in ``context``."""

    def __init__(self, store: Store, context: contextvars.Context) -> None:
        self._store = store
        self._context = context
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="channels-progress-reader")

    async def read(self, wanted: Mapping[str, Since | None]) -> dict[str, Reading | None]:
        """Readings of these channels, with the messages after the position given for each; None: no record.

        Channels that the store did not answer for are not in the result.
        """
        return await self._call(self._read, wanted)

    async def look(self, channels: Sequence[str]) -> dict[str, Sight]:
        """What a page should show, for each of these channels with a record, in one call.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        return await self._call(self._look, channels)

    def close(self) -> None:
        """Let the threads end, without waiting for what they do."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _call(self, function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs) -> Result:
        run = self._context.copy().run
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: run(function, *args, **kwargs))

    def _read(self, wanted: Mapping[str, Since | None]) -> dict[str, Reading | None]:
        readings: dict[str, Reading | None] = {}
        try:
            for channel, uid in _with_uid(wanted):
                snapshot = self._store.read(uid, since=wanted[channel])
                readings[channel] = _make_reading(snapshot) if snapshot else None
        except StoreUnavailable:
            # The others would only wait for the same time-out.
            pass
        return readings

    def _look(self, channels: Sequence[str]) -> dict[str, Sight]:
        known = dict(_with_uid(channels))
        versions = self._store.versions(list(known.values()))
        return {channel: _sight(version) for channel, version in zip(known, versions, strict=True) if version}


def _with_uid(channels: Iterable[str]) -> Iterable[tuple[str, str]]:
    return ((channel, uid) for channel in channels if (uid := get_uid(channel)) is not None)


def _make_reading(snapshot: Snapshot) -> Reading:
    record = snapshot.record
    liveness = find_liveness(record.state, snapshot.now - record.heartbeat_at)
    return Reading(
        Sight(record.epoch, record.attempt, record.seq, liveness),
        snapshot.messages[-1].offset if snapshot.messages else 0,
        encode_json(task_frame(snapshot, liveness)),
    )


def _sight(version: Version) -> Sight:
    liveness = find_liveness(version.state, version.heartbeat_age_ms)
    return Sight(version.epoch, version.attempt, version.seq, liveness)
