"""Finds what pages lack, by the versions in the store, and sends it: whatever hints were lost, and silence."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from channels_progress.consumers.protocol import subscribed_text
from channels_progress.consumers.readings import Reader
from channels_progress.consumers.sources import Sight, find_source
from channels_progress.consumers.watch import Watch
from channels_progress.exceptions import StoreUnavailable

#: Pauses between tries: doubled from the first up to the longest, with jitter.
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0
#: Versions asked for in one call, readings made in one turn of a thread.
LOOK_BATCH = 500
READ_BATCH = 50

Item = TypeVar("Item")


class Resync:
    """Compares what all members of the channels have been sent with the store: every ``Store.resync_s``, or sooner."""

    def __init__(self, reader: Reader, watches: Mapping[str, Watch], settle: Callable[[], Awaitable[bool]]) -> None:
        """``settle`` brings the feed in line with the watches, and answers whether it is."""
        self._reader = reader
        self._watches = watches
        self._settle = settle
        self._wake = asyncio.Event()

    def soon(self, stale: Watch | None = None) -> None:
        """Do not wait for the interval to pass; read ``stale`` in any case."""
        if stale is not None:
            stale.stale = True
        self._wake.set()

    async def run(self) -> None:
        """Go on until cancelled. Where the store does not answer, try until it does."""
        while True:
            try:
                async with asyncio.timeout(_jitter(self._reader.resync_s)):
                    await self._wake.wait()
            except TimeoutError:
                pass
            for pause_s in make_pauses():
                self._wake.clear()
                if await self._try():
                    break
                await asyncio.sleep(pause_s)

    async def _try(self) -> bool:
        is_settled = await self._settle()
        try:
            for channels in _batch(list(self._watches), LOOK_BATCH):
                sights = await self._reader.look(channels)
                self._tell_missing(channels, sights)
                for lacking in _batch(self._find_lacking(channels, sights), READ_BATCH):
                    await self._read(lacking)
        except StoreUnavailable:
            return False
        return is_settled

    def _find_lacking(self, channels: Iterable[str], sights: Mapping[str, Sight]) -> list[Watch]:
        watches = [watch for channel in channels if (watch := self._watches.get(channel))]
        return [
            watch
            for watch in watches
            if watch.stale or ((sight := sights.get(watch.channel)) and watch.differs_from(sight))
        ]

    def _tell_missing(self, channels: Iterable[str], sights: Mapping[str, Sight]) -> None:
        """What was there is gone (Redis restarted empty). Told again each time, for pages that came meanwhile.

        A worker that lives makes another record.
        """
        now = time.monotonic()
        for channel in channels:
            watch = None if channel in sights else self._watches.get(channel)
            missing_s = watch.miss(now) if watch else None
            source = find_source(channel)
            if watch and source and missing_s is not None and (text := source.tell_missing(channel, missing_s)):
                watch.push(text)

    async def _read(self, watches: Sequence[Watch]) -> None:
        for watch in watches:
            # Before the reading: a hint of another epoch that comes meanwhile marks it again.
            watch.stale = False
        readings = await self._reader.read({watch.channel: watch.since for watch in watches})
        for watch in watches:
            if watch.channel not in readings:
                watch.stale = True
            elif (reading := readings[watch.channel]) is not None:
                watch.push(subscribed_text(watch.channel))
                watch.push(reading.text)
                watch.take_reading(reading)
        if len(readings) < len(watches):
            raise StoreUnavailable("The store did not answer for all channels.")


def make_pauses() -> Iterator[float]:
    """How long to wait before the next try, and the next, in seconds; without end."""
    pause_s = FIRST_PAUSE_S
    while True:
        yield _jitter(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _jitter(delay_s: float) -> float:
    """Up to a quarter less, so that many processes do not ask at once."""
    return delay_s * random.uniform(0.75, 1)  # noqa: S311  no secret


def _batch(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))
