"""Hints of a database store over a channel layer that other processes hear."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from channels.layers import get_channel_layer

from channels_progress import transport
from channels_progress.events import list_channel, list_frame, task_channel, task_frame
from channels_progress.records import Liveness, TaskState, list_id
from channels_progress.store import Store
from channels_progress.store.selection import make_store
from channels_progress.transport import MAX_WAITING, Sender, has_shared_layer, make_envelope
from example_project.embedded_redis import EmbeddedRedis
from tests.store.support import CALM_PYTHON, UID, begin, say, snapshot_of
from tests.waiting import await_until, wait_until

PUBSUB = "channels_redis.pubsub.RedisPubSubChannelLayer"
CORE = "channels_redis.core.RedisChannelLayer"


def make_layers(backend: str, url: str) -> dict[str, Any]:
    return {"default": {"BACKEND": backend, "CONFIG": {"hosts": [{"address": url, "socket_timeout": None}]}}}


@pytest.fixture(params=[PUBSUB, CORE], ids=["pubsub", "core"])
def layer(request: pytest.FixtureRequest, settings: Any, redis_url: str, monkeypatch: Any) -> None:
    """Each real layer, and a sender of this test's own."""
    settings.CHANNEL_LAYERS = make_layers(request.param, redis_url)
    monkeypatch.setattr(transport, "_sender", Sender())


@pytest.fixture
def store(own_databases: Any, configure: Any, layer: None) -> Iterator[Store]:
    own_databases("sqlite")
    configure(STORE="database:sqlite", STORE_TIMEOUT_S=15, RESYNC_S=33)
    store = make_store()
    yield store
    store.close()


async def test_hints_are_the_frames_of_a_read_right_after(store: Store, listen: Any) -> None:
    stamp = begin(store)
    await await_until(lambda: transport.get_sender().is_idle)
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
    await await_until(lambda: transport.get_sender().is_idle)
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


def test_sender_drops_what_nobody_takes(monkeypatch: Any) -> None:
    """A layer that hangs: what waits is bounded, and of a group only the newest replaceable hint is kept."""
    hangs = threading.Event()

    async def hang(self: Sender) -> None:
        hangs.set()
        await asyncio.sleep(3600)

    monkeypatch.setattr(Sender, "_serve", hang)
    sender = Sender()
    for number in range(3):
        sender.send("g", make_envelope("task:a", str(number), replaceable=True))
    assert [envelope["text"] for _, envelope in sender._waiting.values()] == ["2"]
    for _ in range(2 * MAX_WAITING):
        sender.send("g", make_envelope("task:a", "x", replaceable=False))
    assert len(sender._waiting) == MAX_WAITING
    assert hangs.wait(20)


def test_layer_that_is_away_costs_a_write_nothing_but_one_warning(
    own_redis: EmbeddedRedis, own_databases: Any, configure: Any, settings: Any, monkeypatch: Any, caplog: Any
) -> None:
    own_databases("sqlite")
    settings.CHANNEL_LAYERS = make_layers(PUBSUB, own_redis.url)
    monkeypatch.setattr(transport, "_sender", Sender())
    monkeypatch.setattr(transport, "PAUSE_S", 0.01)
    configure(STORE="database:sqlite", STORE_TIMEOUT_S=15)
    store = make_store()
    own_redis.stop()
    with caplog.at_level(logging.WARNING):
        stamp = begin(store)
        wait_until(lambda: caplog.records)
        for _ in range(20):
            assert store.write(stamp, body="{}").accepted
        wait_until(lambda: transport.get_sender().is_idle)
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "No hints are sent for now, pages follow more slowly"
    ]
    store.close()


class LayerThatCancelsItself:
    """What a layer may do while its connection is torn down."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.asked.append(message["text"])
        raise asyncio.CancelledError


def test_layer_that_cancels_itself_does_not_end_the_sender(monkeypatch: Any, caplog: Any) -> None:
    layer = LayerThatCancelsItself()
    monkeypatch.setattr(transport, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(transport, "PAUSE_S", 0.01)
    sender = Sender()
    for text in "ab":
        sender.send("g", make_envelope("task:a", text, replaceable=False))
        wait_until(lambda: sender.is_idle)
    assert layer.asked == ["a", "b"]
    assert len(caplog.records) == 1


FORK = """
import os, sys, time
from django.conf import settings
settings.configure(CHANNEL_LAYERS={"default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
                                               "CONFIG": {"hosts": [sys.argv[1]], "prefix": sys.argv[2]}}})
from channels_progress.transport import get_sender, make_envelope
def say(text):
    get_sender().send("g", make_envelope("task:a", text, replaceable=False))
    while not get_sender().is_idle:
        time.sleep(0.01)
say("parent")
if not (pid := os.fork()):
    say("child")
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
"""


async def test_forked_child_sends_too(redis_url: str, settings: Any) -> None:
    layers = make_layers(PUBSUB, redis_url)
    layers["default"]["CONFIG"]["prefix"] = "fork-test"
    settings.CHANNEL_LAYERS = layers
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add("g", channel)
    command = [*CALM_PYTHON, "-c", FORK, redis_url, "fork-test"]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [(await layer.receive(channel))["text"] for _ in range(2)] == ["parent", "child"]
