"""What waits to leave over one socket, so that a slow one costs bounded memory and nobody else any time.

An outbox is *idle* (the next frame is sent at once), *sending* (the server holds a frame back until the page reads;
further ones wait, in order, and one that a newer frame of its channel replaces is dropped) or *over* (closed from here
or gone; frames are ignored). There is a task only while something is held back: an idle socket owns none.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from channels_progress.conf import get_settings
from channels_progress.consumers.first_step import Rest, start_now
from channels_progress.consumers.protocol import CloseCode

logger = logging.getLogger("channels_progress")

#: How long a page may take to read so far that the close frame leaves; then the server just hangs up.
CLOSE_TIMEOUT_S = 10.0

#: The ``send`` that an ASGI server gives to an application.
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Outbox:
    """The frames of one socket on their way out. Belongs to one event loop.

    Attributes:
        is_over: Nothing leaves any more.
    """

    __slots__ = ("_chars", "_kept", "_on_over", "_send", "_since", "_task", "_waiting", "is_over")

    def __init__(self, send: Send, on_over: Callable[[], None]) -> None:
        """``on_over`` is called once the outbox has closed its socket, or found that it cannot be written to."""
        self._send = send
        self._on_over = on_over
        self._task: asyncio.Task[None] | None = None
        self._since = 0.0
        self._waiting: dict[str | int, str] = {}
        self._chars = 0
        self._kept = 0
        self.is_over = False

    def push(self, text: str, *, channel: str = "", replaceable: bool = False) -> None:
        """Send ``text`` as soon as the socket takes it.

        Args:
            channel: A replaceable frame pushed for this one that still waits is dropped, being older.
            replaceable: A newer frame of the channel may take its place.
        """
        if self.is_over:
            return
        if self._task is None:
            self._send_now(text)
            return
        waiting = self._waiting
        self._chars += len(text) - len(waiting.pop(channel, ""))
        if replaceable:
            waiting[channel] = text
        else:
            self._kept += 1
            waiting[self._kept] = text
        settings = get_settings()
        if len(waiting) > settings.OUTBOX_MAX_FRAMES or self._chars > settings.OUTBOX_MAX_CHARS:
            self.close(CloseCode.TOO_SLOW, "too much is waiting")

    async def drain(self) -> None:
        """Return once nothing waits, or nothing leaves any more."""
        while self._task is not None and not self.is_over:
            await asyncio.wait([self._task])

    def close_if_slow(self, now: float) -> None:
        """Close the socket where one frame has been leaving for ``SLOW_SOCKET_S``; ``now`` is ``time.monotonic()``."""
        if self._task is not None and now - self._since > get_settings().SLOW_SOCKET_S:
            self.close(CloseCode.TOO_SLOW, "too slow")

    def close(self, code: int, reason: str) -> None:
        """Drop what waits and close the socket with this code."""
        if not self.is_over:
            logger.info("A socket is closed: %s (%d).", reason, code)
            self.is_over = True
            self._waiting.clear()
            self._task = asyncio.create_task(self._close(self._task, code, reason))

    def discard(self) -> None:
        """The socket is gone."""
        self.is_over = True
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    def _send_now(self, text: str) -> None:
        try:
            rest = start_now(self._send({"type": "websocket.send", "text": text}))
        except Exception as error:
            self._lose(error)
            return
        if rest is not None:
            self._since = time.monotonic()
            self._task = asyncio.create_task(self._send_on(rest), context=rest.context)

    async def _send_on(self, rest: Rest) -> None:
        """Wait until the socket has taken a frame, then send what waits behind it."""
        try:
            await rest
            while self._waiting:
                text = self._waiting.pop(next(iter(self._waiting)))
                self._chars -= len(text)
                self._since = time.monotonic()
                await self._send({"type": "websocket.send", "text": text})
            self._task = None
        except Exception as error:
            self._task = None
            self._lose(error)

    def _lose(self, error: Exception) -> None:
        # Servers say with an OSError that the socket is gone, some with a RuntimeError; the rest is a defect.
        if not isinstance(error, OSError | RuntimeError):
            logger.error("A frame could not be sent; its socket is closed.", exc_info=error)
        self.close(CloseCode.SERVER_ERROR, "frame not sent")

    async def _close(self, sending: asyncio.Task[None] | None, code: int, reason: str) -> None:
        if sending is not None:
            sending.cancel()
            await asyncio.wait([sending])
        try:
            # A server may hold the close frame back, too, until the page reads again.
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._send({"type": "websocket.close", "code": int(code), "reason": reason})
        except (OSError, RuntimeError) as error:
            logger.debug("No close frame for a socket that is gone: %r", error)
        finally:
            self._on_over()
