"""Ends what somebody may no longer have: asked once at the subscription, it is asked again while it lives.

Of a **guard** there is one per event loop. Every ``RECHECK_S`` it has each socket look again

- who its viewer is: whoever has logged out, changed the password or been made inactive loses the socket, which may come
  back as whoever they are now;
- what they may have: an audience that was switched off, a channel whose authorizer now says no and a token that has
  expired lose the subscription, which the page is told as it would be at a new one.

It closes sockets that subscribe to nothing and say nothing, and counts how many each viewer has.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Sequence
from contextvars import Context
from typing import Protocol
from weakref import WeakKeyDictionary

from channels_progress.conf import get_settings

logger = logging.getLogger("channels_progress")

#: A pass is made of so many turns, so that thousands of sockets do not ask at once.
TURNS = 10
#: Sockets that ask at the same time.
AT_ONCE = 20

_guards: WeakKeyDictionary[asyncio.AbstractEventLoop, Guard] = WeakKeyDictionary()


class Guarded(Protocol):
    """A socket, as the guard sees it: ``checked_at`` on the event loop's clock, and the ``context`` it is served in."""

    checked_at: float
    context: Context

    async def recheck(self) -> None:
        """Look again who the viewer is, and what they may have."""

    def close_if_silent(self, now: float) -> None:
        """Close a socket of nobody in particular that has subscribed to nothing for too long."""


def get_guard() -> Guard:
    """The guard of the running event loop."""
    return _guards.setdefault(asyncio.get_running_loop(), Guard())


class Guard:
    """Looks after the sockets of one event loop."""

    def __init__(self) -> None:
        self._sockets: set[Guarded] = set()
        self._owners: dict[Guarded, str] = {}
        self._counts: Counter[str] = Counter()
        self._watch: asyncio.Task[None] | None = None

    def attach(self, socket: Guarded) -> None:
        """A socket is open."""
        # Those that a restart has brought at once do not stay together.
        head_start_s = get_settings().RECHECK_S * random.uniform(0, 0.25)  # noqa: S311  no secret
        socket.checked_at = asyncio.get_running_loop().time() - head_start_s
        self._sockets.add(socket)
        if self._watch is None:
            self._watch = asyncio.create_task(self._run())

    def admit(self, socket: Guarded, owner: str) -> bool:
        """Count the socket for its viewer; False where they have too many. Nobody in particular is not counted."""
        if owner and socket not in self._owners:
            if self._counts[owner] >= get_settings().MAX_SOCKETS_PER_VIEWER:
                return False
            self._owners[socket] = owner
            self._counts[owner] += 1
        return True

    def detach(self, socket: Guarded) -> None:
        """The socket is gone."""
        self._sockets.discard(socket)
        if owner := self._owners.pop(socket, ""):
            self._counts[owner] -= 1
            if not self._counts[owner]:
                del self._counts[owner]
        if not self._sockets and self._watch is not None:
            self._watch.cancel()
            self._watch = None

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            settings = get_settings()
            await asyncio.sleep(min(settings.RECHECK_S / TURNS, settings.SILENCE_S / 4))
            now = loop.time()
            for socket in list(self._sockets):
                socket.close_if_silent(now)
            due = [
                socket for socket in self._sockets if now - socket.checked_at >= settings.RECHECK_S * (1 - 1 / TURNS)
            ]
            for start in range(0, len(due), AT_ONCE):
                await self._recheck(due[start : start + AT_ONCE])

    async def _recheck(self, sockets: Sequence[Guarded]) -> None:
        loop = asyncio.get_running_loop()
        for socket in sockets:
            socket.checked_at = loop.time()
        # Each as if its page had asked: a project's authorizer, or its namespace, may depend on the context.
        work = [loop.create_task(socket.recheck(), context=socket.context) for socket in sockets]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        if failures := [outcome for outcome in outcomes if isinstance(outcome, Exception)]:
            # A database that is away, mostly. What was allowed stays until it can be asked.
            logger.warning("%d sockets could not be checked for now.", len(failures), exc_info=failures[0])
