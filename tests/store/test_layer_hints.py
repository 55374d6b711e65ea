"""Hints of a database store over a channel layer that other processes hear."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from channels.layers import get_channel_layer

from channels_progress.events import list_channel, list_frame, task_channel, task_frame
from channels_progress.records import Liveness, TaskState, list_id
from channels_progress.store import Store
from channels_progress.store.selection import make_store
from channels_progress.transport import Sender, get_sender, has_shared_layer, make_envelope
from example_project.embedded_redis import EmbeddedRedis
from tests.channel_layers import CORE, PUBSUB, make_layers
from tests.store.support import UID, begin, say, snapshot_of
from tests.waiting import await_until, wait_until


@pytest.fixture(params=[PUBSUB, CORE], ids=["pubsub", "core"])
def layer(request: pytest.FixtureRequest, settings: Any, redis_url: str, monkeypatch: Any) -> None:
    """Each real layer, and a sender of this test's own."""
    settings.CHANNEL_LAYERS = make_layers(request.param, redis_url)
    monkeypatch.setattr("channels_progress.transport.sender._sender", Sender())


@pytest.fixture
def store(own_databases: Any, configure: Any, layer: None) -> Iterator[Store]:
    own_databases("sqlite")
    configure(STORE="database:sqlite", STORE_TIMEOUT_S=15, RESYNC_S=33)
    store = make_store()
    yield store
    store.close()


async def test_hints_are_the_frames_of_a_read_right_after(store: Store, listen: Any) -> None:
    stamp = begin(store)
    await await_until(lambda: get_sender().is_idle)
    async with listen(store, task_channel(UID), list_channel("user:1")) as hints:
        store.write(stamp, body='{"title":"ü"}', messages=say("a"))
        [(channel, replaceable, frame)] = await hints.get(1)
        snapshot = snapshot_of(store, since=(stamp.epoch, 0))
        assert (channel, replaceable) == (task_channel(UID), False)
        assert {**frame, "now": 0} == {**task_frame(snapshot, Liveness.LIVE), "now": 0}
        store.finish(UID, TaskState.SUCCESS, delivery="d1")
        store.mark(UID, seen=True)
        [*_, (channel, replaceable, frame)] = await hints.get(3)
    [version] = store.list_versions([list_id("user:1")])
    assert version
    assert (channel, replaceable, frame) == (
        list_channel("user:1"), True, list_frame(list_channel("user:1"), version, frame["now"]),
    )  # fmt: skip


async def test_only_joined_channels_are_heard(store: Store, listen: Any) -> None:
    stamps = [begin(store, uid=uid) for uid in "ab"]
    await await_until(lambda: get_sender().is_idle)
    async with listen(store, task_channel("a"), task_channel("b")) as hints:
        await hints.feed.leave(task_channel("a"))
        for stamp in stamps:
            store.write(stamp, body="{}")
        [(channel, _, _)] = await hints.get(1)
    assert channel == task_channel("b")


async def test_foreign_messages_and_failing_handlers_cost_nothing(store: Store) -> None:
    heard: list[str] = []

    def take(channel: str, replaceable: bool, text: str) -> None:
        heard.append(text)
        raise RuntimeError("no")

    feed = store.open_feed(take, lambda: None)
    run = asyncio.create_task(feed.run())
    await feed.join("task:a")
    groups, layer = feed._groups, get_channel_layer()  # type: ignore[attr-defined]
    for message in ({"type": "foreign"}, {**make_envelope("task:a", "x", replaceable=True), "version": 9}):
        await layer.group_send(groups["task:a"], message)
    for text in ("first", "second"):
        await layer.group_send(groups["task:a"], make_envelope("task:a", text, replaceable=False))
    await await_until(lambda: len(heard) == 2)
    assert heard == ["first", "second"]
    run.cancel()
    await feed.close()


def test_pages_rely_on_the_hints_of_a_real_layer_only(store: Store, settings: Any) -> None:
    assert (has_shared_layer(), store.resync_s) == (True, 33)
    for layers in (
        {},
        {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
        {"default": {"BACKEND": "no"}},
    ):
        settings.CHANNEL_LAYERS = layers
        assert (has_shared_layer(), make_store().resync_s) == (False, 1)


def test_layer_that_is_away_costs_a_write_nothing_but_one_warning(
    own_redis: EmbeddedRedis, own_databases: Any, configure: Any, settings: Any, monkeypatch: Any, caplog: Any
) -> None:
    own_databases("sqlite")
    settings.CHANNEL_LAYERS = make_layers(PUBSUB, own_redis.url)
    monkeypatch.setattr("channels_progress.transport.sender._sender", Sender())
    monkeypatch.setattr("channels_progress.transport.outage.FIRST_PAUSE_S", 0.01)
    configure(STORE="database:sqlite", STORE_TIMEOUT_S=15)
    store = make_store()
    own_redis.stop()
    with caplog.at_level(logging.WARNING):
        stamp = begin(store)
        wait_until(lambda: caplog.records)
        for _ in range(20):
            assert store.write(stamp, body="{}").accepted
        wait_until(lambda: get_sender().is_idle)
    assert [record.message.partition(":")[0] for record in caplog.records] == ["Nothing is sent to pages for now"]
    store.close()
