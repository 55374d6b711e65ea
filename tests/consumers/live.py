"""Starts real ASGI servers and opens real sockets to them."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.consumers.sockets import PATH, make_session_cookie, make_token
from tests.live.rig import Rig, Site

FRAME_WITHIN_S = 60
DEVELOPING = (sys.executable, "-X", "dev")


class Server:
    """A server process.

    Attributes:
        port: Where it listens, on 127.0.0.1.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self.port = site.port

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._site.log

    def stop(self) -> int:
        """End it as a person would; the exit code."""
        return self._site.stop(signal.SIGINT)

    def open(self, *uids: str, **options: Any) -> connect:
        """A visitor's socket, with a token for these tasks in the subprotocol."""
        defaults = {
            "origin": f"http://127.0.0.1:{self.port}",
            "subprotocols": ["channels-progress", make_token(*(uids or ("t",)))],
            "additional_headers": {"Cookie": make_session_cookie()},
            "compression": None,
        }
        return connect(f"ws://127.0.0.1:{self.port}{PATH}", **{**defaults, **options})


@contextmanager
def serving(kind: str, folder: Path, **progress_settings: Any) -> Iterator[Server]:
    """A server with these ``CHANNELS_PROGRESS``."""
    rig = Rig(folder=folder, broker_url="memory://", progress=progress_settings, interpreter=DEVELOPING)
    with rig.run_site(kind, name=kind) as site:
        yield Server(site)


async def receive(socket: ClientConnection) -> Any:
    """The next frame."""
    async with asyncio.timeout(FRAME_WITHIN_S):
        return json.loads(await socket.recv())


async def subscribe(socket: ClientConnection, *uids: str, **more: Any) -> list[Any]:
    """Subscribe, and the two frames of each task: ``subscribed`` and the reading."""
    await socket.send(json.dumps({"type": "subscribe", "token": make_token(*uids), **more}))
    return [await receive(socket) for _ in uids for _ in range(2)]


async def receive_until(socket: ClientConnection, state: str) -> list[Any]:
    """All frames up to the task frame of this state."""
    frames = [await receive(socket)]
    while frames[-1].get("state", {}).get("state") != state:
        frames.append(await receive(socket))
    return frames


async def receive_all(socket: ClientConnection) -> tuple[list[Any], int | None]:
    """All frames until the server closes the socket, and the code it gives."""
    frames = []
    try:
        while True:
            frames.append(await receive(socket))
    except ConnectionClosed as closed:
        return frames, closed.rcvd and closed.rcvd.code
