"""The consumer behind each socket: lets it in, parses what it sends, and leaves all watching to the hub."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any, Never

from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer

from channels_progress.conf import get_settings
from channels_progress.consumers.guard import get_guard
from channels_progress.consumers.origins import is_allowed_origin, log_refusal
from channels_progress.consumers.outbox import Outbox, Send
from channels_progress.consumers.protocol import (
    PONG_TEXT,
    SUBPROTOCOL,
    Acknowledge,
    CloseCode,
    CloseInbox,
    OpenInbox,
    Ping,
    Subscribe,
    SubscribeAudiences,
    SubscribeChannels,
    Unsubscribe,
    parse_frame,
)
from channels_progress.consumers.query import parse_query
from channels_progress.consumers.subscriptions import Subscriptions
from channels_progress.consumers.visitors import get_session_key, load_viewer, reload_viewer
from channels_progress.exceptions import FrameRefused
from channels_progress.tokens import has_valid_signature
from channels_progress.viewers import Viewer

logger = logging.getLogger("channels_progress")

#: For so many seconds a page may send at once.
BURST_S = 20
#: An acknowledgement answers what was sent: thousands may, where as many were stored.
ACKNOWLEDGEMENT_WEIGHT = 0.05
#: Each is some queries.
INBOX_WEIGHT = 10
#: Tokens that are looked at in one handshake: each costs a signature, and a header has room for thousands.
TOKENS_OFFERED_MAX = 4

Receive = Callable[[], Awaitable[dict[str, Any]]]


class ProgressConsumer(AsyncConsumer):  # type: ignore[misc]  # channels has no types
    """One page's socket.

    It has no channel of its own in the layer (``channel_layer_alias = None``), and its frames do not pass through
    channels' ``aclose_old_connections``, which would send each through the one thread of all ORM work.
    """

    channel_layer_alias = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve the socket until it is gone, as ASGI wants it.

        Not channels' own loop: with one thing to wait for it needs no task beside the server's, which would be a
        tenth of what an idle socket costs.
        """
        self.scope = scope
        self.base_send = send
        self._task = asyncio.current_task()
        self._is_ended = False
        self._is_busy = False
        self._viewer: Viewer | None = None
        self._query = parse_query(scope)
        self._subscriptions: Subscriptions | None = None
        self._heard_at = asyncio.get_running_loop().time()
        self._allowance = 0.0
        self.checked_at = self._heard_at
        self.context = copy_context()
        self._outbox = Outbox(send, on_over=self._end)
        try:
            while True:
                message = await receive()
                self._is_busy = True
                await self.dispatch(message)
                self._is_busy = False
        except StopConsumer:
            pass
        except asyncio.CancelledError:
            if not self._has_ended_itself():
                raise
        finally:
            self._task = None
            if self._subscriptions is not None:
                self._subscriptions.close()
                get_guard().detach(self)
            self._outbox.discard()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Handle one ASGI event. Whatever a page sends, or breaks, closes its socket with a code."""
        try:
            match message["type"]:
                case "websocket.connect":
                    await self._connect()
                case "websocket.receive":
                    await self._handle(message.get("text"))
                case "websocket.disconnect":
                    raise StopConsumer  # noqa: TRY301  it is how channels ends a consumer
        except FrameRefused as refusal:
            self._outbox.close(refusal.code, refusal.reason)
        except StopConsumer:
            raise
        except Exception:
            logger.exception("A socket is closed after an error.")
            self._outbox.close(CloseCode.SERVER_ERROR, "server error")

    async def _connect(self) -> None:
        # Here, and not only around the route: a project may route to this consumer by itself.
        if not is_allowed_origin(self.scope):
            log_refusal(self.scope)
            await self._refuse()
        offered = self.scope.get("subprotocols") or []
        is_plain = SUBPROTOCOL not in offered
        tokens = [name for name in (*offered, self._query.token) if name != SUBPROTOCOL]
        if not await self._may_connect(tokens[:TOKENS_OFFERED_MAX]):
            await self._refuse()
        self._subscriptions = Subscriptions(self._outbox, self._query)
        get_guard().attach(self)
        # Never the token, which stands beside it.
        await self._answer({"type": "websocket.accept", "subprotocol": None if is_plain else SUBPROTOCOL})
        if is_plain:
            await self._subscriptions.add_plain(await self._get_viewer())

    async def _refuse(self) -> Never:
        await self._answer({"type": "websocket.close", "code": int(CloseCode.FORBIDDEN)})
        raise StopConsumer

    async def _answer(self, message: dict[str, Any]) -> None:
        try:
            await self.send(message)
        except OSError:
            # The page has gone while its session was loaded.
            raise StopConsumer from None

    async def _may_connect(self, tokens: list[str]) -> bool:
        if get_settings().ENABLE_ANONYMOUS or any(map(has_valid_signature, tokens)):
            return True
        if not get_session_key(self.scope) and "user" not in self.scope:
            return False
        viewer = await self._get_viewer()
        return bool(getattr(viewer.user, "is_authenticated", False)) and not viewer.is_locked_out

    async def recheck(self) -> None:
        """See ``Guarded.recheck``."""
        if self._viewer is None or self._subscriptions is None:
            return
        viewer = await reload_viewer(self.scope)
        if viewer.is_locked_out or not set(self._viewer.owner_keys) <= set(viewer.owner_keys):
            self._outbox.close(CloseCode.LOGIN_ENDED, "login ended")
            return
        self._viewer = viewer
        await self._subscriptions.recheck(viewer)

    def close_if_silent(self, now: float) -> None:
        """See ``Guarded.close_if_silent``."""
        is_somebody = self._viewer is not None and self._viewer.is_authenticated
        is_silent = now - self._heard_at > get_settings().SILENCE_S
        is_idle = not self._is_busy and (self._subscriptions is None or self._subscriptions.is_empty)
        if is_silent and is_idle and not is_somebody:
            self._outbox.close(CloseCode.TOO_SLOW, "nothing subscribed to")

    def _count_frames(self, number: float = 1) -> None:
        """A bucket that fills at the pace allowed, and holds what comes at once when a page resumes."""
        now, per_s = asyncio.get_running_loop().time(), get_settings().MAX_FRAMES_PER_S
        self._allowance = min(self._allowance + (now - self._heard_at) * per_s, 0.0) - number
        self._heard_at = now
        if self._allowance < -per_s * BURST_S:
            raise FrameRefused(CloseCode.TOO_MANY, "too many frames")

    async def _handle(self, text: str | None) -> None:
        if self._outbox.is_over or self._subscriptions is None:
            return
        self._count_frames()
        if self._query.is_html:
            # The forms of an htmx page are no frames.
            return
        match parse_frame(text, max_bytes=get_settings().MAX_FRAME_BYTES):
            case Subscribe() as frame:
                await self._subscriptions.add_granted(await self._get_viewer(), frame)
            case SubscribeChannels(channels, since):
                # Each is a question to the authorizer; asked for one by one they would be as many frames.
                self._count_frames(len(channels) - 1)
                await self._subscriptions.add_named(await self._get_viewer(), channels, since)
            case SubscribeAudiences() as frame:
                await self._subscriptions.add_audiences(await self._get_viewer(), frame)
            case Unsubscribe(channel):
                self._subscriptions.remove(channel)
            case Acknowledge(notification_id):
                self._count_frames(ACKNOWLEDGEMENT_WEIGHT - 1)
                self._subscriptions.acknowledge(notification_id)
            case OpenInbox() | CloseInbox() as frame:
                await self._handle_inbox(self._subscriptions, frame)
            case Ping():
                self._outbox.push(PONG_TEXT)

    async def _handle_inbox(self, subscriptions: Subscriptions, frame: OpenInbox | CloseInbox) -> None:
        if isinstance(frame, CloseInbox):
            subscriptions.close_inbox()
        else:
            self._count_frames(INBOX_WEIGHT - 1)
            subscriptions.open_inbox(await self._get_viewer(), frame.wanted)

    async def _get_viewer(self) -> Viewer:
        if self._viewer is None:
            self._viewer = await load_viewer(self.scope)
        if self._subscriptions is not None and not get_guard().admit(self, self._viewer.owner_key):
            raise FrameRefused(CloseCode.TOO_MANY, "too many sockets")
        return self._viewer

    def _end(self) -> None:
        """The outbox has closed the socket: do not wait for a page that may never answer."""
        if self._task is not None:
            self._is_ended = True
            self._task.cancel()

    def _has_ended_itself(self) -> bool:
        """Whether a cancel is ours alone, and then over with, as ``asyncio.timeout`` does it."""
        return self._is_ended and self._task is not None and self._task.uncancel() == 0
