"""The consumer behind each socket: lets it in, parses what it sends, and leaves all watching to the hub."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer

from channels_progress.conf import get_settings
from channels_progress.consumers.hub import Hub, get_hub
from channels_progress.consumers.outbox import Outbox, Send
from channels_progress.consumers.protocol import (
    PONG_TEXT,
    SUBPROTOCOL,
    CloseCode,
    Ping,
    Subscribe,
    Unsubscribe,
    parse_frame,
    refused_text,
)
from channels_progress.consumers.sources import find_source
from channels_progress.consumers.visitors import get_session_key, load_viewer
from channels_progress.exceptions import FrameRefused, TokenRefused
from channels_progress.tokens import has_valid_signature, verify_subscription_token
from channels_progress.viewers import Viewer

logger = logging.getLogger("channels_progress")

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
        self._viewer: Viewer | None = None
        self._hub: Hub | None = None
        self._outbox = Outbox(send, on_over=self._end)
        try:
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            pass
        except asyncio.CancelledError:
            if not self._has_ended_itself():
                raise
        finally:
            self._task = None
            if self._hub is not None:
                self._hub.detach(self._outbox)
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
        offered = self.scope.get("subprotocols") or []
        if not await self._may_connect([name for name in offered if name != SUBPROTOCOL]):
            await self._answer({"type": "websocket.close", "code": int(CloseCode.FORBIDDEN)})
            raise StopConsumer
        self._hub = get_hub()
        self._hub.attach(self._outbox)
        # Never the token, which stands beside it.
        subprotocol = SUBPROTOCOL if SUBPROTOCOL in offered else None
        await self._answer({"type": "websocket.accept", "subprotocol": subprotocol})

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

    async def _handle(self, text: str | None) -> None:
        if self._outbox.is_over or self._hub is None:
            return
        match parse_frame(text, max_bytes=get_settings().MAX_FRAME_BYTES):
            case Subscribe() as frame:
                await self._subscribe(frame, self._hub)
            case Unsubscribe(channel):
                self._hub.unsubscribe(self._outbox, channel)
            case Ping():
                self._outbox.push(PONG_TEXT)

    async def _subscribe(self, frame: Subscribe, hub: Hub) -> None:
        try:
            granted = verify_subscription_token(frame.token, await self._get_viewer()).channels
        except TokenRefused:
            granted = ()
        if frame.channel is not None:
            granted = tuple(channel for channel in granted if channel == frame.channel)
        channels = [channel for channel in granted if find_source(channel)]
        if not channels:
            self._outbox.push(refused_text(frame.channel))
            return
        if len(hub.get_channels(self._outbox).union(channels)) > get_settings().MAX_SUBSCRIPTIONS:
            self._outbox.push(refused_text(frame.channel, reason="limit"))
            return
        await hub.subscribe(self._outbox, {channel: frame.since.get(channel) for channel in channels})

    async def _get_viewer(self) -> Viewer:
        if self._viewer is None:
            self._viewer = await load_viewer(self.scope)
        return self._viewer

    def _end(self) -> None:
        """The outbox has closed the socket: do not wait for a page that may never answer."""
        if self._task is not None:
            self._is_ended = True
            self._task.cancel()

    def _has_ended_itself(self) -> bool:
        """Whether a cancel is ours alone, and then over with, as ``asyncio.timeout`` does it."""
        return self._is_ended and self._task is not None and self._task.uncancel() == 0
