"""A layer that is away costs one short wait and one warning, and is asked again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from channels_progress.transport import Sender, make_envelope
from channels_progress.transport.outage import Outage
from example_project.embedded_redis import EmbeddedRedis
from tests.channel_layers import make_layers
from tests.waiting import await_until, wait_until

Deliver = Callable[[str], bool]
WARNING = "Nothing is sent to pages for now: the channel layer failed with TimeoutError."
AGAIN = "The channel layer takes what is sent to pages again."
TIMEOUT_S = 0.5


@pytest.fixture
def impatient(sender: Sender, backend: str, own_redis: EmbeddedRedis, settings: Any, monkeypatch: Any) -> Sender:
    """A sender that has sent over each layer, on a Redis of its own, and from now on waits half a second."""
    settings.CHANNEL_LAYERS = make_layers(backend, own_redis.url)
    assert sender.deliver("g", make_envelope("user:1", "x", replaceable=False))
    monkeypatch.setattr("channels_progress.transport.sender.SEND_TIMEOUT_S", TIMEOUT_S)
    return sender


@pytest.mark.usefixtures("impatient")
def test_frozen_redis_holds_a_view_up_once(deliver: Deliver, own_redis: EmbeddedRedis, caplog: Any) -> None:
    own_redis.pause()
    start = time.monotonic()
    assert deliver("x") is False
    waited_s = time.monotonic() - start
    assert [deliver("x") for _ in range(50)] == [False] * 50
    # A busy machine may let pauses end in between; 50 sends that wait would take 25 s.
    assert (waited_s >= TIMEOUT_S, time.monotonic() - start < 10) == (True, True)
    own_redis.resume()
    assert [record.message for record in caplog.records] == [WARNING]


@pytest.mark.usefixtures("impatient")
def test_each_outage_is_told_once(deliver: Deliver, own_redis: EmbeddedRedis, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "channels_progress")
    for _ in range(2):
        own_redis.pause()
        wait_until(lambda: not deliver("x"))
        assert deliver("x") is False
        own_redis.resume()
        wait_until(lambda: deliver("x"))
    assert [record.message for record in caplog.records] == [WARNING, AGAIN] * 2


@pytest.mark.usefixtures("impatient")
def test_redis_that_is_started_again_is_sent_to(deliver: Deliver, own_redis: EmbeddedRedis) -> None:
    own_redis.stop()
    assert deliver("x") is False
    own_redis.start()
    wait_until(lambda: deliver("x"))


async def test_hints_and_coroutines_learn_of_it_too(impatient: Sender, own_redis: EmbeddedRedis) -> None:
    envelope = make_envelope("user:1", "x", replaceable=False)
    own_redis.pause()
    impatient.send("g", envelope)
    assert await impatient.adeliver("g", envelope) is False
    await await_until(lambda: impatient.is_idle)
    own_redis.resume()


def test_one_call_at_a_time_asks_a_layer_that_is_away() -> None:
    now = [100.0]
    outage = Outage(clock=lambda: now[0])
    assert [outage.admit(), outage.admit()] == [True, True]
    for pause_s in (1.0, 2.0, 4.0, 5.0, 5.0):
        outage.note_failure(TimeoutError())
        assert (outage.admit(), outage.pause_s) == (False, pause_s)
        now[0] += pause_s
        assert [outage.pause_s, outage.admit(), outage.admit()] == [0.0, True, False]
    outage.note_success()
    assert [outage.pause_s, outage.admit(), outage.admit()] == [0.0, True, True]


def test_warning_holds_no_password(caplog: Any) -> None:
    Outage().note_failure(ConnectionError("redis://:secret@h:1/0"))
    assert "secret" not in caplog.text
