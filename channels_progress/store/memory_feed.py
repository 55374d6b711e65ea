"""Hints of a memory store, for one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from channels_progress.conf import get_namespace
from channels_progress.store.contract import OnHint

#: A namespace and a channel.
Key = tuple[str, str]


class MemoryFeed:
    """Hints of a memory store, carried into the event loop that opened it."""

    def __init__(self, on_hint: OnHint, forget: Callable[[MemoryFeed], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_hint = on_hint
        self._forget = forget
        self._joined: dict[str, Key] = {}

    def announce(self, key: Key, replaceable: bool, text: str) -> None:
        """Hand a hint over from whatever thread wrote."""
        if self._joined.get(key[1]) == key:
            try:
                self._loop.call_soon_threadsafe(self._deliver, key, replaceable, text)
            except RuntimeError:  # the loop was closed without closing its feed
                self._leave_store()

    def _deliver(self, key: Key, replaceable: bool, text: str) -> None:
        if self._joined.get(key[1]) == key:
            self._on_hint(key[1], replaceable, text)

    async def join(self, channel: str) -> None:
        """See ``Feed.join``."""
        self._joined[channel] = (get_namespace(), channel)

    async def leave(self, channel: str) -> None:
        """See ``Feed.leave``."""
        self._joined.pop(channel, None)

    async def run(self) -> None:
        """Wait until cancelled: the writers deliver."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Forget what was joined."""
        self._joined.clear()
        self._leave_store()

    def _leave_store(self) -> None:
        with suppress(ValueError):
            self._forget(self)
