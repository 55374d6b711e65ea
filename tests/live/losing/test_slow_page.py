"""A page that never reads: it costs little memory, is hung up on, and is right again once it reads."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from channels_progress.records import Message, Stamp, TaskState
from channels_progress.store import get_store
from tests.consumers.sockets import PATH, make_session_cookie, make_token
from tests.live.rig import Rig, Site

pytestmark = pytest.mark.xdist_group("faults")

FRAMES, FRAME_CHARS = 100, 1_000_000
#: A third of what all frames need, and many times what may wait.
MEMORY_BYTES = 40_000_000
SETTINGS = {"OUTBOX_MAX_CHARS": 4_000_000, "MESSAGES_KEPT": 2}
#: A neighbour gets each frame in this time, while the other one is waited for.
ON_TIME_S = 60.0
HUNG_UP = "A socket is closed: too much is waiting (4408)."


@pytest.fixture
def crowded_site(rig: Rig) -> Iterator[Site]:
    own = replace(rig, progress={**rig.progress, **SETTINGS})
    with own.joined(), own.run_site(name="crowded-site") as site:
        yield site


def make_socket(port: int) -> socket.socket:
    """One that takes little before somebody reads."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.connect(("127.0.0.1", port))
    return narrow


@asynccontextmanager
async def watching(site: Site, **options: Any) -> AsyncIterator[ClientConnection]:
    """A socket that has subscribed."""
    token = make_token("large")
    async with connect(
        site.url.replace("http", "ws", 1) + PATH,
        origin=site.url,
        additional_headers={"Cookie": make_session_cookie()},
        subprotocols=["channels-progress", token],
        compression=None, max_size=None, ping_interval=None, close_timeout=1, proxy=None, **options,
    ) as page:  # fmt: skip
        await page.send(json.dumps({"type": "subscribe", "token": token}))
        yield page


async def receive_task(page: ClientConnection) -> Any:
    """The next frame of the task."""
    while True:
        frame = json.loads(await asyncio.wait_for(page.recv(), ON_TIME_S))
        if frame["type"] == "task":
            return frame


async def read_to_the_end(page: ClientConnection) -> int | None:
    """Read at last; the code that the socket is closed with."""
    with suppress(ConnectionClosed):
        while True:
            await asyncio.wait_for(page.recv(), ON_TIME_S)
    return page.close_code


async def test_page_that_never_reads_is_hung_up_on_and_harms_nobody(crowded_site: Site) -> None:
    store, site = get_store(), crowded_site
    begun = store.begin("large", delivery="d", owner="", body="{}")
    stamp = Stamp("large", begun.epoch, begun.attempt)
    server = psutil.Process(site.pid)
    async with watching(site) as neighbour, watching(site, sock=make_socket(site.port), max_queue=1) as deaf:
        await receive_task(neighbour)
        before, peak = server.memory_info().rss, 0
        for text in (f"{number}:" + "x" * FRAME_CHARS for number in range(FRAMES)):
            store.write(stamp, body="{}", messages=[Message("info", text)])
            assert (await receive_task(neighbour))["messages"][0]["text"] == text
            peak = max(peak, server.memory_info().rss)
            if HUNG_UP in site.log:
                break
        assert HUNG_UP in site.log
        assert peak - before < MEMORY_BYTES
        assert await read_to_the_end(deaf) == 4408
        store.finish("large", TaskState.SUCCESS)
        assert (await receive_task(neighbour))["state"]["state"] == "SUCCESS"
    async with watching(site) as again:
        assert (await receive_task(again))["state"]["state"] == "SUCCESS"
