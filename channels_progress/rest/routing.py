"""The WebSocket route of django-notifications-websocket, for the clients that there are of it.

    application = JWTAuthMiddleware(with_websockets(get_asgi_application(), *websocket_urlpatterns))

Without the middleware only pages of the site's own origin get as far as here. Its clients offer the bare token as their
one subprotocol, and a browser fails where it is not answered with it: so here, and only here, it is. Without one the
session counts.
"""

from __future__ import annotations

from typing import Any, Never

from channels.exceptions import StopConsumer
from django.urls import path

from channels_progress.consumers.inbox_consumer import InboxConsumer, error_text
from channels_progress.consumers.logins import LOGIN_KEY
from channels_progress.consumers.origins import is_allowed_origin, log_refusal
from channels_progress.consumers.outbox import Send
from channels_progress.consumers.protocol import SUBPROTOCOL
from channels_progress.exceptions import TokenRefused
from channels_progress.rest.sockets import INACTIVE, Receive, load_login, serve

__all__ = ["websocket_urlpatterns"]

#: In the words of the reference.
NOBODY_THERE = "Provide an access token in the subprotocols"
#: Its clients know no other.
NORMAL_CLOSURE = 1000


async def serve_inbox(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """An ASGI application: the inbox of whoever offers a token, or has a session."""
    offer = next((offer for offer in scope.get("subprotocols") or [] if offer != SUBPROTOCOL), "")
    if LOGIN_KEY in scope or not offer:
        await NotificationConsumer()(scope, receive, send)
        return
    try:
        login = await load_login(offer)
    except TokenRefused as refusal:
        await NotificationConsumer(str(refusal))(scope, receive, send)
    else:
        await serve(NotificationConsumer(), login, scope, receive, send)


class NotificationConsumer(InboxConsumer):
    """One client's socket."""

    def __init__(self, refusal: str = "") -> None:
        """``refusal`` is what is wrong with the token."""
        self._refusal = refusal

    async def _connect(self) -> None:
        if not is_allowed_origin(self.scope):
            log_refusal(self.scope)
            await self._refuse()
        if self._refusal:
            await self._explain(self._refusal)
        viewer = await self._get_viewer()
        if viewer.is_locked_out:
            await self._refuse()
        if not viewer.is_authenticated:
            await self._explain(NOBODY_THERE)
        await self._open(self._find_protocol())

    def _find_protocol(self) -> str | None:
        """A browser wants one of those that it has offered."""
        offers = self.scope.get("subprotocols") or []
        if SUBPROTOCOL in offers:
            return SUBPROTOCOL
        login = self.scope.get(LOGIN_KEY)
        return getattr(login, "offer", "") or next(iter(offers), None)

    async def _explain(self, reason: str) -> Never:
        """Say why, and that is all: of a socket that was not accepted a browser learns nothing."""
        if reason == INACTIVE:
            await self._refuse()
        await self._answer({"type": "websocket.accept", "subprotocol": self._find_protocol()})
        await self._answer({"type": "websocket.send", "text": error_text(reason)})
        await self._answer({"type": "websocket.close", "code": NORMAL_CLOSURE})
        raise StopConsumer


websocket_urlpatterns = [path("ws/me/notifications", serve_inbox)]  # type: ignore[arg-type]  # not a view
