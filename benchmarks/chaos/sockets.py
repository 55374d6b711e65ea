"""What one more page costs the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from websockets.asyncio.client import connect

from tests.consumers.sockets import PATH, make_session_cookie, make_token


def measure_sockets(url: str, uids: Sequence[str], measure: Callable[[], int], *, count: int = 300) -> float:
    """Resident bytes of the server for each socket with one task.

    Args:
        uids: The first ones are looked at before, so that what the server needs once is not counted.
        measure: The server's resident bytes.
    """
    return asyncio.run(_measure(url, uids, measure, count))


async def _measure(url: str, uids: Sequence[str], measure: Callable[[], int], count: int) -> float:
    async with AsyncExitStack() as stack:
        await _open(url, uids, stack, 50)
        before = measure()
        await _open(url, uids, stack, count)
        return (measure() - before) / count


async def _open(url: str, uids: Sequence[str], stack: AsyncExitStack, count: int) -> None:
    for number in range(count):
        token = make_token(uids[number % len(uids)])
        socket = await stack.enter_async_context(
            connect(
                url.replace("http", "ws", 1) + PATH,
                origin=url,
                additional_headers={"Cookie": make_session_cookie()},
                subprotocols=["channels-progress", token],
                compression=None,
                proxy=None,
            )
        )
        await socket.send(json.dumps({"type": "subscribe", "token": token}))
        # That it is subscribed, and what it shows.
        await socket.recv()
        await socket.recv()
