"""The core layer's readers are waited for a short time, and those who do not read only once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from channels.layers import get_channel_layer

from channels_progress.transport import make_envelope, pacing
from channels_progress.transport.pacing import pace
from channels_progress.transport.synchronous import Client, run_to_end
from tests.channel_layers import CORE, make_layers

PREFIX = "pacing-test"
GROUP = f"{PREFIX}:group:g"
QUEUE = f"{PREFIX}specific.somebody!"
CAPACITY = 8
USED = 6

MakeSend = Callable[[Callable[[], object]], Callable[[], None]]


@pytest.fixture
def control(settings: Any, redis_url: str) -> Iterator[redis.Redis]:
    """The Redis of a small core layer, with a process in its group "g" whose queue is in the test's hands."""
    settings.CHANNEL_LAYERS = make_layers(CORE, redis_url, prefix=PREFIX, capacity=CAPACITY)
    with redis.Redis.from_url(redis_url) as control:
        control.delete(QUEUE, GROUP)
        control.zadd(GROUP, {"specific.somebody!x": time.time()})
        yield control
        control.delete(QUEUE, GROUP)


@pytest.fixture
def make_send(control: redis.Redis) -> MakeSend:
    """What sends to the group; called whenever it waits is what is given here."""

    def make_send(on_pause: Callable[[], object]) -> Callable[[], None]:
        async def pause(pause_s: float) -> None:
            on_pause()

        layer = pace(get_channel_layer(), lambda index: Client(control), pause)
        return lambda: run_to_end(layer.group_send("g", make_envelope("user:1", "x", replaceable=False)))

    return make_send


def test_readers_are_waited_for_and_some_room_is_left_to_others(
    make_send: MakeSend, control: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "ROOM_WITHIN_S", 60.0)
    lengths: list[int] = []

    def read_one() -> None:
        lengths.append(control.zcard(QUEUE))
        control.zpopmin(QUEUE)

    send = make_send(read_one)
    for _ in range(CAPACITY):
        send()
    assert (lengths, control.zcard(QUEUE)) == ([USED] * (CAPACITY - USED), USED)


def test_who_does_not_read_is_waited_for_once_until_it_reads(
    make_send: MakeSend, control: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "ROOM_WITHIN_S", 0.02)
    pauses: list[None] = []
    send = make_send(lambda: pauses.append(None))

    def send_and_tell() -> tuple[bool, int]:
        pauses.clear()
        send()
        return bool(pauses), control.zcard(QUEUE)

    filling_up = [(False, length) for length in range(1, USED + 1)]
    assert [send_and_tell() for _ in range(USED)] == filling_up
    # Then as the layer does it by itself: what is too much is dropped.
    assert [send_and_tell() for _ in range(3)] == [(True, 7), (False, 8), (False, 8)]
    control.delete(QUEUE)
    assert [send_and_tell() for _ in range(USED)] == filling_up
    assert send_and_tell() == (True, 7)


def test_capacity_of_the_channel_counts(make_send: MakeSend, control: Any, settings: Any, redis_url: str) -> None:
    capacities = {"specific.*": 2 * CAPACITY}
    settings.CHANNEL_LAYERS = make_layers(
        CORE, redis_url, prefix=PREFIX, capacity=CAPACITY, channel_capacity=capacities
    )
    pauses: list[None] = []
    send = make_send(lambda: pauses.append(None))
    for _ in range(2 * USED):
        send()
    assert (pauses, control.zcard(QUEUE)) == ([], 2 * USED)
