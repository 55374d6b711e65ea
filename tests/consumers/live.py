"""Starts real ASGI servers and opens real sockets to them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.consumers.sockets import PATH, make_session_cookie, make_token
from tests.waiting import wait_until

COMMANDS = {
    "uvicorn": "uvicorn tests.consumers.live_site:application --port 0 --ws-per-message-deflate false --lifespan off",
    "daphne": "daphne --port 0 tests.consumers.live_site:application",
}
# "Uvicorn running on http://127.0.0.1:40001", "Listening on TCP address 127.0.0.1:40001"
LISTENING = re.compile(r"127\.0\.0\.1:(\d+)")
GONE_WITHIN_S = 30
FRAME_WITHIN_S = 30


class Server:
    """A server process.

    Attributes:
        port: Where it listens, on 127.0.0.1.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        self.port = int(wait_until(self._find_port, within_s=20, message="the server listens"))

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text()

    def stop(self) -> int:
        """End it as a person would; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(GONE_WITHIN_S)

    def open(self, *uids: str, **options: Any) -> connect:
        """A visitor's socket, with a token for these tasks in the subprotocol."""
        defaults = {
            "origin": f"http://127.0.0.1:{self.port}",
            "subprotocols": ["channels-progress", make_token(*(uids or ("t",)))],
            "additional_headers": {"Cookie": make_session_cookie()},
            "compression": None,
        }
        return connect(f"ws://127.0.0.1:{self.port}{PATH}", **{**defaults, **options})

    def _find_port(self) -> str | None:
        assert self.process.poll() is None, self.log
        found = LISTENING.search(self.log)
        return found and found[1]


@contextmanager
def serving(kind: str, folder: Path, **progress_settings: Any) -> Iterator[Server]:
    """A server with these ``CHANNELS_PROGRESS``, killed at the end."""
    log_path = folder / f"{kind}.log"
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    environment |= {"LIVE_SITE_SETTINGS": json.dumps(progress_settings), "PYTHONUNBUFFERED": "1"}
    with log_path.open("wb") as log:
        command = [sys.executable, "-X", "dev", "-m", *COMMANDS[kind].split()]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        yield Server(process, log_path)
    finally:
        process.kill()
        process.wait()


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
