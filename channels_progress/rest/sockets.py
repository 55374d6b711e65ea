"""Logs sockets in by a JSON web token of djangorestframework-simplejwt (extra ``[jwt]``).

    application = JWTAuthMiddleware(with_websockets(get_asgi_application()))

A browser can send no ``Authorization`` header with a WebSocket, so the token comes as a subprotocol:
``new WebSocket(url, ["channels-progress", token])``. The server answers with the first; the token is taken out of the
scope, and stands in no log. It also needs no origin: no page of another site has it, unlike a cookie.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from channels.db import database_sync_to_async

from channels_progress.consumers.logins import LOGIN_KEY
from channels_progress.consumers.origins import refuse
from channels_progress.consumers.outbox import Send
from channels_progress.consumers.protocol import SUBPROTOCOL, CloseCode
from channels_progress.exceptions import TokenRefused

if TYPE_CHECKING:
    from channels_progress.rest.logins import TokenLogin

if find_spec("rest_framework_simplejwt") is None:
    raise ImportError(
        "channels_progress.rest.sockets needs djangorestframework-simplejwt, which is not installed: "
        "pip install 'channels-progress[jwt]'",
        name="rest_framework_simplejwt",
    )

__all__ = ["JWTAuthMiddleware"]

logger = logging.getLogger("channels_progress")

#: Why a token is refused of somebody who may not connect at all.
INACTIVE = "User is inactive"
#: Why it is refused where the database is away.
UNAVAILABLE = "Try again later"

Receive = Callable[[], Awaitable[dict[str, Any]]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

# A header, which is a JSON object, claims and a signature (RFC 7519). Our own tokens have no dots.
_TOKEN = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]*", re.ASCII)


class JWTAuthMiddleware:
    """Logs in who offers a token, and closes the socket once that has expired; everything else passes through.

    A token that is not valid, and one of somebody unknown or inactive, is refused before the socket is accepted.
    """

    def __init__(self, application: Application) -> None:
        """``application`` is any ASGI application: all of the project's, or some routes."""
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """What an ASGI server calls."""
        token = find_token(scope)
        if not token or LOGIN_KEY in scope:
            await self._application(scope, receive, send)
            return
        login: TokenLogin | None = None
        try:
            login = await load_login(token)
        except TokenRefused as refusal:
            logger.info("A socket's token is refused: %s.", refusal)
        if login is not None:
            await serve(self._application, login, scope, receive, send)
        elif SUBPROTOCOL in scope["subprotocols"]:
            await refuse(scope, receive, send)
        else:
            # The route of the reference says why; any other one knows nobody by it.
            await self._application(scope, receive, send)


def find_token(scope: dict[str, Any]) -> str:
    """The token that a client offers, or an empty string."""
    offers = scope.get("subprotocols") or [] if scope["type"] == "websocket" else []
    return next((offer for offer in offers if _TOKEN.fullmatch(offer)), "")


async def load_login(token: str) -> TokenLogin:
    """See ``logins.log_in``; what it cannot find out is refused, too."""
    # Late: an asgi.py imports this module before simplejwt can be imported, as Django is not set up.
    log_in = import_module("channels_progress.rest.logins").log_in
    try:
        login: TokenLogin = await database_sync_to_async(log_in)(token)
    except TokenRefused:
        raise
    except Exception:
        logger.exception("Whose token it is cannot be found out.")
        raise TokenRefused(UNAVAILABLE) from None
    return login


async def serve(
    application: Application, login: TokenLogin, scope: dict[str, Any], receive: Receive, send: Send
) -> None:
    """Have a socket of this login served, at most until its token expires."""
    if SUBPROTOCOL not in scope["subprotocols"]:
        login.offer = find_token(scope)
    gate = _Gate(send)
    timer = asyncio.get_running_loop().call_later(max(0.0, login.expires_at - time.time()), gate.close_soon)
    try:
        await application(_enter(scope, login), receive, gate)
    finally:
        timer.cancel()


def _enter(scope: dict[str, Any], login: TokenLogin) -> dict[str, Any]:
    """The scope of somebody who has logged in: without the token, and without cookies, which may be another's."""
    offers = [offer for offer in scope["subprotocols"] if not _TOKEN.fullmatch(offer)]
    kept = [
        (name, value) for name, value in scope.get("headers", ()) if name not in {b"cookie", b"sec-websocket-protocol"}
    ]
    offered = [(b"sec-websocket-protocol", ", ".join(offers).encode())] if offers else []
    return {**scope, "subprotocols": offers, "headers": kept + offered, "user": login.user, LOGIN_KEY: login}


class _Gate:
    """What a socket sends, until it is closed."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_closed = False
        self._closing: asyncio.Task[None] | None = None

    async def __call__(self, message: dict[str, Any]) -> None:
        if not self._is_closed:
            self._is_closed = message["type"] == "websocket.close"
            await self._send(message)

    def close_soon(self) -> None:
        """The token has expired."""
        self._closing = asyncio.get_running_loop().create_task(self._close())

    async def _close(self) -> None:
        try:
            await self({"type": "websocket.close", "code": int(CloseCode.LOGIN_ENDED), "reason": "login ended"})
        except (OSError, RuntimeError) as error:
            logger.debug("No close frame for a socket that is gone: %r", error)
