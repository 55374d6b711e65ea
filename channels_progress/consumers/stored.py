"""Notices stored events that the channel layer has lost, so that listeners catch up without connecting again.

A layer may lose anything and say nothing: the pub/sub layer of channels_redis goes on after a Redis was restarted as if
nothing had been, the core layer drops what is too much for it. So every ``RESYNC_S`` each server process asks the
database, once for all of its sockets, what was stored since it last asked, and compares it with what came.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection

from channels.db import database_sync_to_async

from channels_progress.conf import get_settings
from channels_progress.consumers.listener import MAX_REMEMBERED, OVERLAP, get_inbox

logger = logging.getLogger("channels_progress")

#: Rows read at once.
BATCH = 1_000
#: What was stored so shortly before may still be on its way.
GRACE_S = 1.0


class StoredWatch:
    """Compares what was stored with what came."""

    def __init__(self, on_missed: Callable[[Collection[str]], None]) -> None:
        """``on_missed`` is called with the channels of which something did not come."""
        self._on_missed = on_missed
        self._known: dict[int, None] = {}
        self._position: int | None = None

    def note(self, number: int) -> None:
        """This stored event has come over the layer."""
        self._known[number] = None
        if len(self._known) > MAX_REMEMBERED:
            del self._known[next(iter(self._known))]

    async def run(self) -> None:
        """Go on until cancelled. What was stored before the first look is the listeners' own business."""
        failures = 0
        while True:
            try:
                await self.look()
                failures = 0
            except Exception as error:
                failures += 1
                if failures == 1:
                    # Only the type: the text may hold a query's values.
                    logger.warning("What was stored cannot be compared for now: %s.", type(error).__name__)
            await asyncio.sleep(get_settings().RESYNC_S * random.uniform(0.75, 1.25))  # noqa: S311  no secret

    async def look(self) -> None:
        """Compare once."""
        inbox = get_inbox()
        if self._position is None:
            self._position = await database_sync_to_async(inbox.find_newest_id)()
            rows = await self._read()
        elif rows := {number: channel for number, channel in (await self._read()).items() if number not in self._known}:
            await asyncio.sleep(GRACE_S)
            if missed := {channel for number, channel in rows.items() if number not in self._known}:
                self._on_missed(missed)
        for number in rows:
            self.note(number)

    async def _read(self) -> dict[int, str]:
        """The channels of what was stored since the last look, or a little earlier and committed late."""
        found: dict[int, str] = {}
        position = max(0, (self._position or 0) - OVERLAP)
        while rows := await database_sync_to_async(get_inbox().find_stored)(after_id=position, limit=BATCH):
            found |= dict(rows)
            position = rows[-1][0]
            if len(rows) < BATCH:
                break
        self._position = max(self._position or 0, position)
        return found
