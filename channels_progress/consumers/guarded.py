"""What all of our sockets have in common: served until they are gone, guarded, and closed with a code that says why."""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any, Never

from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer

from channels_progress.conf import get_settings
from channels_progress.consumers.guard import get_guard
from channels_progress.consumers.outbox import Outbox, Send
from channels_progress.consumers.protocol import CloseCode
from channels_progress.consumers.visitors import load_viewer, reload_viewer
from channels_progress.exceptions import FrameRefused
from channels_progress.viewers import Viewer

logger = logging.getLogger("channels_progress")

#: For so many seconds a page may send at once.
BURST_S = 20
#: How many frames one that asks for an inbox counts as: each is some queries.
INBOX_WEIGHT = 10

Receive = Callable[[], Awaitable[dict[str, Any]]]


class GuardedConsumer(AsyncConsumer):  # type: ignore[misc]  # channels has no types
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
        self._is_open = False
        self._viewer: Viewer | None = None
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
            if self._is_open:
                self._close_views()
                get_guard().detach(self)
            self._outbox.discard()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Handle one ASGI event. Whatever a page sends, or breaks, closes its socket with a code."""
        try:
            match message["type"]:
                case "websocket.connect":
                    await self._connect()
                case "websocket.receive":
                    if self._is_open and not self._outbox.is_over:
                        self._count_frames()
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

    @abstractmethod
    async def _connect(self) -> None:
        """Let the page in, or not."""

    @abstractmethod
    async def _handle(self, text: str | None) -> None:
        """What the page has sent; None for a binary frame."""

    @abstractmethod
    def _close_views(self) -> None:
        """The socket is gone."""

    @abstractmethod
    async def _recheck_views(self, viewer: Viewer) -> None:
        """End what this viewer may no longer have."""

    @property
    @abstractmethod
    def _is_idle(self) -> bool:
        """Whether the page listens to nothing."""

    async def _accept(self, subprotocol: str | None) -> None:
        self._is_open = True
        get_guard().attach(self)
        await self._answer({"type": "websocket.accept", "subprotocol": subprotocol})

    async def _refuse(self) -> Never:
        await self._answer({"type": "websocket.close", "code": int(CloseCode.FORBIDDEN)})
        raise StopConsumer

    async def _answer(self, message: dict[str, Any]) -> None:
        try:
            await self.send(message)
        except OSError:
            # The page has gone while its session was loaded.
            raise StopConsumer from None

    async def recheck(self) -> None:
        """See ``Guarded.recheck``."""
        if self._viewer is None or not self._is_open:
            return
        viewer = await reload_viewer(self.scope)
        if viewer.is_locked_out or not set(self._viewer.owner_keys) <= set(viewer.owner_keys):
            self._outbox.close(CloseCode.LOGIN_ENDED, "login ended")
            return
        self._viewer = viewer
        await self._recheck_views(viewer)

    def close_if_silent(self, now: float) -> None:
        """See ``Guarded.close_if_silent``."""
        is_somebody = self._viewer is not None and self._viewer.is_authenticated
        is_silent = now - self._heard_at > get_settings().SILENCE_S
        if is_silent and not self._is_busy and self._is_idle and not is_somebody:
            self._outbox.close(CloseCode.TOO_SLOW, "nothing subscribed to")

    def _count_frames(self, number: float = 1) -> None:
        """A bucket that fills at the pace allowed, and holds what comes at once when a page resumes."""
        now, per_s = asyncio.get_running_loop().time(), get_settings().MAX_FRAMES_PER_S
        self._allowance = min(self._allowance + (now - self._heard_at) * per_s, 0.0) - number
        self._heard_at = now
        if self._allowance < -per_s * BURST_S:
            raise FrameRefused(CloseCode.TOO_MANY, "too many frames")

    async def _get_viewer(self) -> Viewer:
        if self._viewer is None:
            self._viewer = await load_viewer(self.scope)
        if self._is_open and not get_guard().admit(self, self._viewer.owner_key):
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
