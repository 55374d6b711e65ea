"""Readings of the store for the hub: made in a few threads of its own, so that a slow store holds up no ORM work."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from channels_progress.consumers.sources import Reading, Sight, Since, sort_channels
from channels_progress.exceptions import StoreUnavailable
from channels_progress.store import Store

THREADS = 4

Params = ParamSpec("Params")
Result = TypeVar("Result")


class Reader:
    """Asks a store from an event loop. Every call runs in ``context``."""

    def __init__(self, store: Store, context: contextvars.Context) -> None:
        self._store = store
        self._context = context
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="channels-progress-reader")

    @property
    def resync_s(self) -> float:
        """See ``Store.resync_s``."""
        return self._store.resync_s

    async def read(self, wanted: Mapping[str, Since | None]) -> dict[str, Reading | None]:
        """Readings of these channels, with the messages after the position given for each; None: nothing there.

        Channels that the store did not answer for are not in the result.
        """
        return await self._call(self._read, wanted)

    async def look(self, channels: Sequence[str]) -> dict[str, Sight]:
        """What a page should show, for each of these channels where something is there.

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
            for source, channels in sort_channels(wanted).items():
                readings.update(source.read(self._store, {channel: wanted[channel] for channel in channels}))
        except StoreUnavailable:
            # Those that came are there; the others would only wait for the same time-out.
            pass
        return readings

    def _look(self, channels: Sequence[str]) -> dict[str, Sight]:
        by_source = sort_channels(channels)
        return {name: sight for source, some in by_source.items() for name, sight in source.look(self._store, some)}
