"""Short ways to drive a store in tests."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import replace
from typing import Any

from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import Begun, Message, Snapshot, Stamp, TaskRecord
from channels_progress.store import Store
from tests.waiting import await_until

#: STORE_TIMEOUT_S of ``store_of_its_own``.
TIMEOUT_S = 0.5
#: Python for programs that fork on purpose, of which 3.12 and newer warn where there are threads.
CALM_PYTHON = (sys.executable, "-W", "ignore:This process:DeprecationWarning")
UID = "0d5f0f3e-9a55-4b0a-8d3a-3a1f6f0e6a11"


def begin(store: Store, delivery: str = "d1", uid: str = UID) -> Stamp:
    """Begin a delivery; the stamp of its attempt."""
    begun = store.begin(uid, delivery=delivery, owner="user:1", body="{}")
    assert begun.accepted
    return stamp_of(begun, uid)


def stamp_of(begun: Begun, uid: str = UID) -> Stamp:
    return Stamp(uid, begun.epoch, begun.attempt)


def snapshot_of(store: Store, uid: str = UID, **options: Any) -> Snapshot:
    snapshot = store.read(uid, **options)
    assert snapshot
    return snapshot


def record_of(store: Store, uid: str = UID) -> TaskRecord:
    """The record as it is now, without its times."""
    return replace(snapshot_of(store, uid).record, created_at=0, began_at=0, heartbeat_at=0, ended_at=0)


def texts_of(store: Store, **options: Any) -> tuple[list[tuple[int, str]], bool]:
    """What a reader gets of the log: (offset, text) of each message, and ``recovered``."""
    snapshot = snapshot_of(store, **options)
    return [(message.offset, message.text) for message in snapshot.messages], snapshot.recovered


def say(*texts: str) -> list[Message]:
    return [Message("info", text) for text in texts]


def call_fails(store: Store) -> bool:
    try:
        store.versions([UID])
    except StoreUnavailable:
        return True
    return False


class Hints:
    """A feed of ``store`` that runs while the block lasts, and what it heard.

    Args:
        fails: Handling a hint raises.

    Attributes:
        heard: (channel, replaceable, frame) of each hint.
        gaps: How often hints may have been lost.
    """

    def __init__(self, store: Store, *, fails: bool = False) -> None:
        self._fails = fails
        self.heard: list[tuple[str, bool, dict[str, Any]]] = []
        self.gaps = 0
        self.feed = store.open_feed(self._on_hint, self._on_gap)

    def _on_hint(self, channel: str, replaceable: bool, text: str) -> None:
        self.heard.append((channel, replaceable, json.loads(text)))
        if self._fails:
            raise RuntimeError("no")

    def _on_gap(self) -> None:
        self.gaps += 1

    async def __aenter__(self) -> Hints:
        self._run = asyncio.create_task(self.feed.run())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._run.cancel()
        with suppress(asyncio.CancelledError):
            await self._run
        await self.feed.close()

    async def get(self, count: int) -> list[tuple[str, bool, dict[str, Any]]]:
        """The hints, once there are ``count`` of them."""
        await await_until(lambda: len(self.heard) >= count, message=f"{count} hints")
        return self.heard

    async def frames(self, count: int) -> list[dict[str, Any]]:
        """The frames of the hints, once there are ``count`` of them."""
        return [frame for _, _, frame in await self.get(count)]
