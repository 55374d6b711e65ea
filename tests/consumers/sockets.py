"""A page's socket to the whole ASGI application, without a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.asgi import get_asgi_application

from channels_progress.asgi import with_websockets
from channels_progress.events import task_channel
from channels_progress.tokens import issue_subscription_token
from channels_progress.viewers import NONCE_SESSION_KEY, Viewer
from tests.waiting import WITHIN_S

PATH = "/asgi/notifications/"
NONCE = "nonce"
VISITOR = Viewer(None, NONCE)


class PatientCommunicator(WebsocketCommunicator):  # type: ignore[misc]  # channels has no types
    """Waits as long as any test does, whatever it is asked for: channels' default is one second."""

    async def receive_output(self, *timeout_s: float) -> Any:
        return await super().receive_output(WITHIN_S)

    async def wait(self, *timeout_s: float) -> None:
        await super().wait(WITHIN_S)


def make_token(*uids: str, viewer: Viewer = VISITOR, **options: Any) -> str:
    return issue_subscription_token(viewer, [task_channel(uid) for uid in uids], **options)


def make_session_cookie(**values: Any) -> str:
    """A signed-cookie session of the visitor, or of whom the values say."""
    session = SessionStore()
    session.update(values or {NONCE_SESSION_KEY: NONCE})
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def make_socket(
    path: str = PATH,
    *,
    offers: tuple[str, ...] = ("channels-progress",),
    cookie: str = "",
    origin: str = "http://testserver",
    application: Any = None,
    **scope: Any,
) -> WebsocketCommunicator:
    headers = [(b"host", b"testserver"), (b"origin", origin.encode())]
    headers += [(b"cookie", cookie.encode())] if cookie else []
    application = application or with_websockets(get_asgi_application())
    socket = PatientCommunicator(application, path, headers=headers, subprotocols=list(offers))
    socket.scope.update(scope)
    return socket


@asynccontextmanager
async def visiting(*uids: str, **options: Any) -> AsyncIterator[WebsocketCommunicator]:
    """The open socket of an anonymous visitor with a token for these tasks."""
    socket = make_socket(
        offers=("channels-progress", make_token(*(uids or ("t",)))), cookie=make_session_cookie(), **options
    )
    assert await socket.connect() == (True, "channels-progress")
    try:
        yield socket
    finally:
        await socket.disconnect()
