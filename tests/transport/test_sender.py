"""Confirmed sends: from anywhere, in order, and never a wait in vain."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from channels.layers import get_channel_layer

from channels_progress.transport import Sender, make_envelope
from channels_progress.transport import sender as module
from channels_progress.transport.sender import MAX_WAITING
from tests.channel_layers import make_layers
from tests.store.support import CALM_PYTHON
from tests.tooling import ROOT
from tests.transport.conftest import Listen
from tests.waiting import WITHIN_S, await_until, wait_until

Deliver = Callable[[str], bool]
TEXTS = [str(number) for number in range(500)]


def envelope(text: str) -> dict[str, Any]:
    return make_envelope("user:1", text, replaceable=False)


def test_broadcasts_may_carry_two_keys_more_than_hints() -> None:
    hint = {"type": "channels_progress.hint", "key": "user:1", "kind": "k", "version": 1, "text": "x"}
    assert make_envelope("user:1", "x", replaceable=False) == hint
    broadcast = make_envelope("user:1", "x", replaceable=True, exclude="page", notification_id=7)
    assert broadcast == {**hint, "kind": "r", "exclude": "page", "id": 7}


@pytest.mark.usefixtures("layers")
async def test_sends_on_the_thread_of_a_running_loop_arrive(deliver: Deliver, listen: Listen) -> None:
    async with listen() as heard:
        assert [deliver("a"), deliver("b")] == [True, True]
        await await_until(lambda: len(heard) == 2)
    assert heard == ["a", "b"]


@pytest.mark.usefixtures("layers")
async def test_thread_is_heard_in_the_order_it_sends(deliver: Deliver, listen: Listen) -> None:
    async with listen() as heard:
        with ThreadPoolExecutor(1) as pool:
            taken = asyncio.gather(*(asyncio.wrap_future(pool.submit(deliver, text)) for text in TEXTS[:50]))
            await await_until(lambda: len(heard) == 50)
            assert all(await taken)
    assert heard == TEXTS[:50]


@pytest.mark.usefixtures("layers")
async def test_coroutines_are_heard_in_the_order_they_begin(sender: Sender, listen: Listen) -> None:
    channel = await get_channel_layer().new_channel()
    await get_channel_layer().group_add("g", channel)
    taken = await asyncio.gather(*(sender.adeliver("g", envelope(text)) for text in TEXTS[:50]))
    assert taken == [True] * 50
    async with asyncio.timeout(WITHIN_S):
        assert [(await get_channel_layer().receive(channel))["text"] for _ in range(50)] == TEXTS[:50]


def test_without_a_layer_one_warning_says_what_to_write(sender: Sender, settings: Any, caplog: Any) -> None:
    settings.CHANNEL_LAYERS = {}
    assert [sender.deliver("g", envelope("x")) for _ in range(3)] == [False] * 3
    [record] = caplog.records
    assert "CHANNEL_LAYERS = redis_channel_layers(…)" in record.message


def test_layer_that_cannot_be_made_raises_nothing(sender: Sender, settings: Any, caplog: Any) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "no.such.Layer"}}
    assert [sender.deliver("g", envelope("x")) for _ in range(3)] == [False] * 3
    assert [record.message for record in caplog.records] == [
        "Nothing is sent to pages for now: the channel layer failed with InvalidChannelLayerError."
    ]


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
    assert [hint.envelope["text"] for hint in sender._hints.values()] == ["2"]
    for _ in range(2 * MAX_WAITING):
        sender.send("g", make_envelope("task:a", "x", replaceable=False))
    assert len(sender._hints) == MAX_WAITING
    assert hangs.wait(20)


class SlowLayer:
    """Takes its time for each message."""

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await asyncio.sleep(0.05)


async def test_many_that_wait_in_line_wait_as_long_as_it_moves(sender: Sender, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "get_channel_layer", SlowLayer)
    monkeypatch.setattr(module, "LONGEST_STAND_S", 1.0)
    line = [sender.adeliver("g", envelope("x")) for _ in range(25)]
    waiting = asyncio.gather(*line, asyncio.to_thread(sender.deliver, "g", envelope("x")))
    assert await waiting == [True] * 26


class HangingLayer:
    """Takes for ever, and cannot be cancelled."""

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        threading.Event().wait()


async def test_nobody_waits_for_a_thread_that_stands(sender: Sender, monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setattr(module, "get_channel_layer", HangingLayer)
    monkeypatch.setattr(module, "LONGEST_STAND_S", 0.5)
    answers = asyncio.gather(sender.adeliver("g", envelope("x")), asyncio.to_thread(sender.deliver, "g", envelope("x")))
    assert await answers == [False, False]
    assert len(caplog.records) == 1


async def test_what_is_no_longer_wanted_is_not_sent(sender: Sender, monkeypatch: Any) -> None:
    layer = RecordingLayer()
    monkeypatch.setattr(module, "get_channel_layer", lambda: layer)
    first = asyncio.create_task(sender.adeliver("g", envelope("first")))
    await await_until(lambda: layer.asked)
    second = asyncio.create_task(sender.adeliver("g", envelope("second")))
    await await_until(lambda: sender._dispatches)
    second.cancel()
    await asyncio.wait([second])
    layer.go_on.set()
    assert await first
    await await_until(lambda: sender.is_idle)
    assert (layer.asked, second.cancelled()) == (["first"], True)


class RecordingLayer:
    """Waits with the first message."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go_on = threading.Event()

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.asked.append(message["text"])
        self.go_on.wait()


class LayerThatCancelsItself:
    """What a layer may do while its connection is torn down."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.asked.append(message["text"])
        raise asyncio.CancelledError


def test_layer_that_cancels_itself_does_not_end_the_sender(monkeypatch: Any, caplog: Any) -> None:
    layer = LayerThatCancelsItself()
    monkeypatch.setattr(module, "get_channel_layer", lambda: layer)
    monkeypatch.setattr("channels_progress.transport.outage.FIRST_PAUSE_S", 0.01)
    sender = Sender()
    for text in "ab":
        sender.send("g", make_envelope("task:a", text, replaceable=False))
        wait_until(lambda: sender.is_idle)
    assert layer.asked == ["a", "b"]
    assert len(caplog.records) == 1


FORK = """
import os, sys
from django.conf import settings
backend, url, prefix = sys.argv[1:]
config = {"hosts": [url], "prefix": prefix}
settings.configure(CHANNEL_LAYERS={"default": {"BACKEND": backend, "CONFIG": config}})
from channels_progress.transport import get_sender, make_envelope, sender
sender.SEND_TIMEOUT_S = sender.LONGEST_STAND_S = 60
def say(text):
    assert get_sender().deliver("g", make_envelope("task:a", text, replaceable=False))
say("parent")
if not (pid := os.fork()):
    say("child")
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
say("parent again")
"""


async def test_forked_child_sends_too(backend: str, redis_url: str, settings: Any) -> None:
    settings.CHANNEL_LAYERS = make_layers(backend, redis_url, prefix="fork-test")
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add("g", channel)
    command = [*CALM_PYTHON, "-c", FORK, backend, redis_url, "fork-test"]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    async with asyncio.timeout(WITHIN_S):
        texts = [(await layer.receive(channel))["text"] for _ in range(3)]
    assert texts == ["parent", "child", "parent again"]
