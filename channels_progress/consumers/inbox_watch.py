"""Notices changes of inboxes that no hint has told: asks the database, once for all open inboxes of a server process.

Of a **watch** there is one per event loop and namespace, made for the first open inbox and gone with the last one.
Every ``RESYNC_S`` it compares how new each inbox is with what its pages show.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async

from channels_progress.conf import get_namespace, get_settings, make_pinned_context

if TYPE_CHECKING:
    from channels_progress.notifications.pages import Version

logger = logging.getLogger("channels_progress")

#: Inboxes asked for in one query; SQLite takes no more than 999 values.
BATCH = 500

_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, InboxWatch]] = WeakKeyDictionary()


class Watched(Protocol):
    """An open inbox, as the watch sees it.

    Attributes:
        owner: Whose it is.
        version: How new it was when its page last got it; None before that.
    """

    owner: str
    version: Version | None

    def catch_up_soon(self, *, among: int = 1) -> None:
        """Read again, together with so many."""


def get_inbox_watch() -> InboxWatch:
    """The watch of the running event loop for the namespace in force."""
    watches = _watches.setdefault(asyncio.get_running_loop(), {})
    namespace = get_namespace()
    if namespace not in watches:
        watches[namespace] = InboxWatch(namespace)
    return watches[namespace]


class InboxWatch:
    """Looks after the open inboxes of one event loop."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._views: dict[str, set[Watched]] = {}
        self._running: asyncio.Task[None] | None = None
        self._is_told = False

    def attach(self, view: Watched) -> None:
        """An inbox is open."""
        self._views.setdefault(view.owner, set()).add(view)
        if self._running is None:
            context = make_pinned_context(self._namespace)
            self._running = asyncio.get_running_loop().create_task(self._run(), context=context)

    def detach(self, view: Watched) -> None:
        """It is no longer open."""
        views = self._views.get(view.owner, set())
        views.discard(view)
        if not views:
            self._views.pop(view.owner, None)
        if not self._views and self._running is not None:
            self._running.cancel()
            self._running = None
            watches = _watches.get(asyncio.get_running_loop(), {})
            if watches.get(self._namespace) is self:
                del watches[self._namespace]

    def note_failure(self, error: Exception) -> None:
        """An inbox could not be read. Said once until one can be."""
        if not self._is_told:
            self._is_told = True
            # Only the type: the text may hold a query's values.
            logger.warning("Inboxes could not be read: %s.", type(error).__name__)

    def note_success(self) -> None:
        """One could be read."""
        self._is_told = False

    async def look(self) -> None:
        """Compare once."""
        find_versions = import_module("channels_progress.notifications.pages").find_versions
        for owners in _batch(list(self._views)):
            versions = await database_sync_to_async(find_versions)(owners)
            behind = [
                view
                for owner, version in versions.items()
                for view in self._views.get(owner, ())
                if view.version is not None and view.version != version
            ]
            for view in behind:
                view.catch_up_soon(among=len(behind))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(get_settings().RESYNC_S * random.uniform(0.75, 1.0))  # noqa: S311  no secret
            try:
                await self.look()
            except Exception as error:
                self.note_failure(error)
            else:
                self.note_success()


def _batch(owners: Sequence[str]) -> Iterator[Sequence[str]]:
    return (owners[start : start + BATCH] for start in range(0, len(owners), BATCH))
