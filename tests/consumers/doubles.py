"""A store whose feed can be held back, made deaf or broken, and sockets that remember what they were sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from channels_progress.consumers.outbox import Outbox
from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import ListVersion, Snapshot, Version
from channels_progress.store.contract import OnHint
from channels_progress.store.memory import MemoryStore


class UnrulyStore(MemoryStore):
    """A memory store that can be away, with a feed that can fail in every way a real one does.

    Attributes:
        away: How many calls it does not answer.
        deaf: The hints of what is written now are lost.
        gate: While it is clear, joins and leaves take place but are not confirmed.
        refusals: How many joins the feed does not manage.
        after_read: Called in the middle of the next reading: the store has answered, the hub does not know yet.
        calls: What the feeds were asked, in order.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.away = 0
        self.deaf = False
        self.refusals = 0
        self.after_read: Callable[[], None] | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls: list[tuple[str, str]] = []
        self.feeds: list[UnrulyFeed] = []

    def read(self, uid: str, *, since: tuple[str, int] | None = None) -> Snapshot | None:
        self._answer()
        snapshot = super().read(uid, since=since)
        after_read, self.after_read = self.after_read, None
        if after_read:
            after_read()
        return snapshot

    def versions(self, uids: Sequence[str]) -> list[Version | None]:
        self._answer()
        return super().versions(uids)

    def list_versions(self, list_ids: Sequence[str]) -> list[ListVersion | None]:
        self._answer()
        return super().list_versions(list_ids)

    def forget_all(self) -> None:
        """What FLUSHALL does."""
        self._kept.clear()
        self._lists.clear()

    def open_feed(self, on_hint: OnHint, on_gap: Callable[[], None]) -> Any:
        self.feeds.append(UnrulyFeed(self, super().open_feed(on_hint, on_gap), on_gap))
        return self.feeds[-1]

    def _announce(self, *args: Any) -> None:
        if not self.deaf:
            super()._announce(*args)

    def _answer(self) -> None:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away")


class UnrulyFeed:
    """A feed of ``UnrulyStore``. ``failure`` ends ``run`` once it is set."""

    def __init__(self, store: UnrulyStore, feed: Any, on_gap: Callable[[], None]) -> None:
        self._store = store
        self._feed = feed
        self.on_gap = on_gap
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed = False

    async def join(self, channel: str) -> None:
        self._store.calls.append(("join", channel))
        if self._store.refusals:
            self._store.refusals -= 1
            raise StoreUnavailable("no subscription")
        await self._feed.join(channel)
        await self._store.gate.wait()

    async def leave(self, channel: str) -> None:
        self._store.calls.append(("leave", channel))
        await self._feed.leave(channel)
        await self._store.gate.wait()

    async def run(self) -> None:
        await self.failure

    async def close(self) -> None:
        self.closed = True
        await self._feed.close()


class Page:
    """A socket's outbox with its other end."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.outbox = Outbox(self._send, lambda: None)

    async def _send(self, message: dict[str, Any]) -> None:
        self.frames.append(json.loads(message["text"]) if "text" in message else message)

    @property
    def shown(self) -> tuple[Any, ...]:
        """Type of each frame; of task frames state and liveness."""
        return tuple(
            (frame["state"]["state"], frame["state"]["liveness"]) if frame["type"] == "task" else frame["type"]
            for frame in self.frames
        )
