"""One socket's ear for broadcasts: what it hears live, and what it missed while it was away.

A listener is *live* (what comes is sent on) or *catching up*: stored events that it has not had are read from the
database, oldest first, and sent to this socket only, in batches, each once the socket has taken the one before. Stored
events that come meanwhile are held back until then, so that all arrive in order, and none twice.

The races:

- *Stored between the last reading and now.* It comes live too, and is held: sent after the reading unless it was in it.
- *Heard between the join and the first reading.* It is held as well: older ones are sent first.
- *Committed late, with a lower id.* Who acknowledges is asked what they lack by what is unacknowledged, whatever its
  id. An anonymous page is asked by position: what was stored of late is sent again, and the page drops what it knows.
- *A gap in the layer.* All is caught up again; what was sent over this socket before is not sent twice.
- *A channel left and had again.* What was on its way when the page left it, the page has dropped: it is sent again.
- *The database is away.* Live events go on, and the reading is tried again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from channels.db import database_sync_to_async
from django.utils import timezone

from channels_progress.broadcast_events import event_text
from channels_progress.conf import get_settings
from channels_progress.consumers.outbox import Outbox

if TYPE_CHECKING:
    from channels_progress.models import Notification

logger = logging.getLogger("channels_progress")

#: Stored events read and sent at once, where as many may wait in an outbox twice over.
BATCH = 100
#: How far below its position, and how long after, an anonymous page is sent once more what was committed late.
OVERLAP = 100
LATE = timedelta(minutes=10)
#: Ids of stored events remembered as sent over a socket.
MAX_REMEMBERED = 10_000
#: Acknowledgements that may wait to be written; a page that sends more is not served faster by it.
MAX_ACKNOWLEDGED = 10_000

_HTML_HEAD = '{"type":"html"'


class Listener:
    """What one socket hears.

    Attributes:
        outbox: Where it goes.
        page_id: The page behind it, or an empty string.
        recipient: The viewer's owner key, under which they acknowledge; empty where nothing identifies them.
    """

    __slots__ = (
        "_acknowledged",
        "_catching_up",
        "_channels",
        "_held",
        "_is_expecting",
        "_is_html",
        "_is_wanted",
        "_left",
        "_retry",
        "_sent",
        "_since",
        "_writing",
        "outbox",
        "page_id",
        "recipient",
    )

    def __init__(self, outbox: Outbox, page_id: str = "", recipient: str = "", *, is_html: bool = False) -> None:
        """``is_html``: only HTML is sent, and bare, as htmx wants it."""
        self.outbox = outbox
        self.page_id = page_id
        self.recipient = recipient
        self._is_html = is_html
        self._channels: set[str] = set()
        self._since: dict[str, int] = {}
        self._sent: dict[int, str] = {}
        self._held: dict[int, tuple[str, str]] | None = None
        self._is_expecting = False
        self._is_wanted = False
        self._catching_up: asyncio.Task[None] | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._acknowledged: list[int] = []
        self._left: tuple[str, ...] = ()
        self._writing: asyncio.Task[None] | None = None

    def hear(self, envelope: Mapping[str, Any]) -> None:
        """Take what came for a channel of this socket."""
        text, number = envelope["text"], envelope.get("id") or 0
        if self._is_html:
            self._push_html(text)
        elif number and self._held is not None:
            self._held[number] = (envelope["key"], text)
        else:
            self._push(envelope["key"], text, number, replaceable=envelope["kind"] == "r")

    def expect(self) -> None:
        """Hold back what is heard from here on, until ``listen`` is called: older ones may wait."""
        self._is_expecting = True
        if self._held is None:
            self._held = {}

    async def find_beginnings(self, channels: Iterable[str]) -> dict[str, int]:
        """From where to count what a page without any identity misses of channels that it has not heard before."""
        channels = list(channels)
        if self.recipient or self._is_html or not channels:
            return {}
        try:
            newest = await database_sync_to_async(get_inbox().find_newest_id)()
        except Exception as error:
            logger.warning("Stored messages could not be read: %s.", type(error).__name__)
            return {}
        return dict.fromkeys(channels, newest)

    def listen(self, channels: Collection[str], since: Mapping[str, int]) -> None:
        """Catch up with these channels, besides those already listened to."""
        self._is_expecting = False
        self._channels.update(channels)
        self._since.update({channel: since[channel] for channel in channels if channel in since})
        self.catch_up_soon()

    def forget(self, channel: str) -> None:
        """The socket no longer listens to this channel."""
        if channel not in self._channels:
            return
        self._channels.discard(channel)
        self._since.pop(channel, None)
        self._sent = {number: other for number, other in self._sent.items() if other != channel}
        if self._writing is not None:
            self._left += (channel,)

    def skip(self, envelope: Mapping[str, Any]) -> None:
        """This came for a channel of this socket, but not for its page."""
        if number := envelope.get("id"):
            self._remember(envelope["key"], number)

    def catch_up_soon(self) -> None:
        """Send what was stored and is lacking."""
        if self._is_html:
            return
        self._is_wanted = True
        if self._catching_up is None:
            if self._held is None:
                self._held = {}
            self._catching_up = asyncio.create_task(self._catch_up())

    def acknowledge(self, notification_id: int) -> None:
        """The page has a stored event. Written soon, many at once."""
        if self.recipient and len(self._acknowledged) < MAX_ACKNOWLEDGED:
            self._acknowledged.append(notification_id)
            if self._writing is None:
                self._writing = _keep(asyncio.create_task(self._write()))

    def close(self) -> None:
        """The socket is gone. What it acknowledged is still written."""
        if self._catching_up is not None:
            self._catching_up.cancel()
        if self._retry is not None:
            self._retry.cancel()

    async def _catch_up(self) -> None:
        try:
            while self._is_wanted:
                self._is_wanted = False
                await self._replay()
        except Exception as error:
            self._try_again(error)
        else:
            if self._retry is not None:
                self._retry.cancel()
                self._retry = None
        finally:
            self._catching_up = None
        if not self._is_expecting:
            self._release()

    def _try_again(self, error: Exception) -> None:
        if self._retry is None:
            # Only the type: the text may hold a query's values.
            logger.warning("Stored messages could not be read: %s.", type(error).__name__)
        pause_s = get_settings().RESYNC_S * random.uniform(0.5, 1.5)  # noqa: S311  no secret
        self._retry = asyncio.get_running_loop().call_later(pause_s, self.catch_up_soon)

    def _release(self) -> None:
        held, self._held = self._held or {}, None
        for number in sorted(held):
            channel, text = held[number]
            if channel in self._channels:
                self._push(channel, text, number)

    async def _replay(self) -> None:
        after, batch = 0, max(1, min(BATCH, get_settings().OUTBOX_MAX_FRAMES // 2))
        while rows := await database_sync_to_async(self._read)(after, batch):
            for row in rows:
                after = row.id
                if self._lacks(row):
                    self._push(row.channel, event_text(row.event, row.channel, row.id), row.id)
            await self.outbox.drain()
            if len(rows) < batch or self.outbox.is_over:
                return

    def _read(self, after: int, limit: int) -> list[Notification]:
        inbox = get_inbox()
        # Copies: this is another thread, and the page may leave a channel meanwhile.
        if self.recipient:
            rows = inbox.find_unacknowledged(self.recipient, [*self._channels], after_id=after, limit=limit)
        else:
            start = min(self._since.values(), default=0) - OVERLAP
            rows = inbox.find_newer([*self._since], after_id=max(start, after), limit=limit)
        return list(rows)

    def _lacks(self, row: Notification) -> bool:
        """Whether it is to be sent; the channel may have been left meanwhile."""
        if self.recipient:
            return row.channel in self._channels
        since = self._since.get(row.channel)
        return since is not None and (row.id > since or (row.id > since - OVERLAP and _is_late(row)))

    def _push(self, channel: str, text: str, number: int, *, replaceable: bool = False) -> None:
        if number:
            if number in self._sent:
                return
            self._remember(channel, number)
        self.outbox.push(text, channel=channel, replaceable=replaceable)

    def _remember(self, channel: str, number: int) -> None:
        self._sent[number] = channel
        if channel in self._since:
            self._since[channel] = max(self._since[channel], number)
        if len(self._sent) > MAX_REMEMBERED:
            del self._sent[next(iter(self._sent))]

    def _push_html(self, text: str) -> None:
        if text.startswith(_HTML_HEAD):
            self.outbox.push(_read_html(text))

    async def _write(self) -> None:
        try:
            while self._acknowledged:
                numbers, self._acknowledged = self._acknowledged, []
                channels, self._left = [*self._channels, *self._left], ()
                await database_sync_to_async(get_inbox().acknowledge)(self.recipient, numbers, channels)
        except Exception as error:
            # They are sent again at the next connection.
            logger.warning("Acknowledgements could not be written: %s.", type(error).__name__)
        finally:
            self._left = ()
            self._writing = None


@lru_cache(maxsize=4)
def _read_html(text: str) -> str:
    """The HTML of a frame, read once for all sockets."""
    return str(json.loads(text)["html"])


def _is_late(row: Notification) -> bool:
    """Whether it may have been stored in a transaction that had not succeeded when the page last asked."""
    return timezone.now() - row.created_at < LATE


def get_inbox() -> Any:
    """Models cannot be imported before Django is set up, and an ``asgi.py`` imports us before that."""
    return import_module("channels_progress.inbox")


def _keep(task: asyncio.Task[None]) -> asyncio.Task[None]:
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


#: What goes on when its socket has gone. An event loop keeps its tasks weakly.
_tasks: set[asyncio.Task[None]] = set()
