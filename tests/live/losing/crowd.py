"""Hundreds of pages on one event loop, each with a socket of its own, that all come back at the same moment."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.consumers.sockets import PATH, make_session_cookie, make_token
from tests.live.rig import Site
from tests.live.rig.page import Shown
from tests.waiting import await_until

OPEN_WITHIN_S = 60.0
WITHIN_S = 60.0


class Visitor:
    """A page with one task.

    Attributes:
        shown: What it shows.
        close_code: How its last socket ended; None while one is open.
    """

    def __init__(self, site: Site, uid: str) -> None:
        self.shown = Shown(make_token(uid), uid)
        self.close_code: int | None = None
        self._site = site
        self._cookie = make_session_cookie()

    async def visit(self) -> None:
        """Open a socket, and watch until it is closed."""
        with suppress(OSError, WebSocketException, TimeoutError):
            async with connect(
                self._site.url.replace("http", "ws", 1) + PATH,
                origin=self._site.url,
                additional_headers={"Cookie": self._cookie},
                subprotocols=["channels-progress", self.shown.token],
                compression=None,
                open_timeout=OPEN_WITHIN_S,
                close_timeout=1,
                ping_interval=None,
                proxy=None,
            ) as socket:
                await self._watch(socket)

    async def _watch(self, socket: ClientConnection) -> None:
        self.close_code = None
        await self._ask(socket)
        try:
            async for text in socket:
                if not self.shown.take(json.loads(text)):
                    await self._ask(socket)
        finally:
            self.close_code = socket.close_code or 1006

    async def _ask(self, socket: ClientConnection) -> None:
        self.shown.ask()
        frame = {"type": "subscribe", "token": self.shown.token, "since": self.shown.since}
        await socket.send(json.dumps(frame))


class Crowd:
    """Visitors, one for each uid."""

    def __init__(self, site: Site, uids: Sequence[str]) -> None:
        self.visitors = [Visitor(site, uid) for uid in uids]
        self._visits: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    def come(self) -> None:
        """All open a socket, at once."""
        self._visits = {asyncio.create_task(visitor.visit()) for visitor in self.visitors}

    async def await_shown(self, expected: Counter[str]) -> None:
        """Wait until so many show each of these states."""
        await await_until(lambda: self.count_states() == expected, within_s=WITHIN_S, message=Told(self))

    async def await_cut_off(self) -> Counter[int | None]:
        """Wait until nobody has a socket; how often each close code was given."""
        await asyncio.wait(self._visits, timeout=WITHIN_S)
        return Counter(visitor.close_code for visitor in self.visitors)

    def count_states(self) -> Counter[str]:
        """What they show, and how many of them."""
        return Counter((visitor.shown.state or {}).get("state", "") for visitor in self.visitors)

    def find_faults(self) -> list[str]:
        """What no page must ever show, and one of these did."""
        return [fault for visitor in self.visitors for fault in visitor.shown.faults]


class Told:
    """The crowd in words, at the moment when they are needed."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd

    def __str__(self) -> str:
        return f"the crowd shows {self._crowd.count_states()}"


def count_commands(control: Any) -> Counter[str]:
    """How often Redis was asked what since ``config_resetstat``, by the command's name."""
    stats = control.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): value["calls"] for name, value in stats.items()})
