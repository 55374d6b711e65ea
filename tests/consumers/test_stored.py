"""Stored events that the channel layer has lost are noticed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from channels_progress import asend_to_all
from channels_progress.audiences import ALL, channel_audience
from channels_progress.broadcast_events import message_event
from channels_progress.consumers import stored
from channels_progress.consumers.stored import StoredWatch
from channels_progress.models import Notification
from channels_progress.store import layer_feed
from tests.consumers.hearing import ALICE, hear, opened, settle
from tests.waiting import await_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store")]


@pytest.fixture(autouse=True)
def quickly(settings: Any, monkeypatch: pytest.MonkeyPatch, store: Any) -> None:
    monkeypatch.setattr(stored, "GRACE_S", 0.01)
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "RESYNC_S": 0.05}


@sync_to_async
def lose(text: str, audience: Any = ALL) -> int:
    """Store a message without sending it; its id."""
    return int(Notification.objects.store(audience, message_event(text), timedelta(hours=1)).pk)


async def test_a_lost_message_arrives_without_connecting_again() -> None:
    async with opened(ALICE) as alice:
        await settle(alice)
        await asend_to_all("heard", persist=True)
        assert await hear(alice) == "heard"
        await lose("lost")
        assert await hear(alice) == "lost"
        # And none twice.
        await asend_to_all("the next one")
        assert await hear(alice) == "the next one"


async def test_only_what_did_not_come_is_told() -> None:
    await lose("earlier than all looks")
    told: list[Collection[str]] = []
    watch = StoredWatch(told.append)
    await watch.look()
    watch.note(await lose("came"))
    await watch.look()
    assert told == []
    await lose("lost", channel_audience("news"))
    await watch.look()
    await watch.look()
    assert told == [{"news"}]


async def test_what_comes_a_moment_later_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Collection[str]] = []
    watch = StoredWatch(told.append)
    await watch.look()
    number = await lose("on its way")

    async def arrive(seconds: float) -> None:
        watch.note(number)

    monkeypatch.setattr(stored.asyncio, "sleep", arrive)
    await watch.look()
    assert told == []


async def test_many_at_once_are_read_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "BATCH", 2)
    told: list[Collection[str]] = []
    watch = StoredWatch(told.append)
    await watch.look()
    for number in range(5):
        await lose("lost", channel_audience(f"news-{number}"))
    await watch.look()
    assert told == [{f"news-{number}" for number in range(5)}]


async def test_a_database_that_is_away_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks = []

    async def fail() -> None:
        looks.append(1)
        raise OSError

    watch = StoredWatch(lambda channels: None)
    monkeypatch.setattr(watch, "look", fail)
    with caplog.at_level(logging.WARNING, "channels_progress"):
        running = asyncio.create_task(watch.run())
        await await_until(lambda: len(looks) > 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert caplog.messages == ["What was stored cannot be compared for now: OSError."]


async def test_without_a_layer_what_is_stored_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_feed, "get_channel_layer", lambda: None)
    async with opened(ALICE) as alice:
        await settle(alice)
        await lose("stored")
        assert await hear(alice) == "stored"
