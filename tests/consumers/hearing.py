"""Sockets that listen to broadcasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser, User

from tests.consumers.sockets import PATH, make_socket

ALICE, BOB, NOBODY = User(pk=1, username="alice"), User(pk=2, username="bob"), AnonymousUser()
#: What our own client offers as subprotocol.
OURS = ("channels-progress",)


@asynccontextmanager
async def opened(user: Any, query: str = "", offers: tuple[str, ...] = ()) -> AsyncIterator[WebsocketCommunicator]:
    """A socket of this user; without ``offers`` that of a client that does not speak our protocol."""
    socket = make_socket(PATH + query, offers=offers, user=user)
    is_accepted, _ = await socket.connect()
    assert is_accepted
    try:
        yield socket
    finally:
        await socket.disconnect()


async def ask(socket: WebsocketCommunicator, **frame: Any) -> Any:
    await socket.send_json_to(frame)
    return await socket.receive_json_from()


async def settle(socket: WebsocketCommunicator) -> None:
    """Return once the server has done what a client without our protocol wants at its connect."""
    assert await ask(socket, type="ping") == {"type": "pong", "v": 1}


async def hear(socket: WebsocketCommunicator) -> str:
    return str((await socket.receive_json_from())["text"])


def subscribed(channel: str) -> dict[str, Any]:
    return {"type": "subscribed", "v": 1, "channel": channel}
