"""Without an event loop, as under gevent: the same answers, over the layers of channels_redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from channels_progress.conf import get_namespace
from channels_progress.groups import name_group
from channels_progress.transport import Sender, make_envelope
from channels_progress.transport.redis_clients import make_client
from channels_progress.transport.synchronous import run_to_end
from example_project.embedded_redis import EmbeddedRedis
from tests.channel_layers import make_layers
from tests.transport.conftest import CHANNEL, Listen
from tests.waiting import await_until, wait_until

Deliver = Callable[[str], bool]
TEXTS = [str(number) for number in range(500)]


@pytest.fixture(autouse=True)
def _no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels_progress.transport.sender.can_send", lambda: False)


@pytest.mark.usefixtures("layers")
async def test_burst_arrives_in_order_and_starts_no_thread(deliver: Deliver, sender: Sender, listen: Listen) -> None:
    async with listen() as heard:
        assert await asyncio.to_thread(lambda: all(map(deliver, TEXTS)))
        await await_until(lambda: len(heard) >= len(TEXTS))
    assert (heard, sender._thread) == (TEXTS, None)


@pytest.mark.usefixtures("layers")
async def test_coroutines_send_too(sender: Sender, listen: Listen) -> None:
    envelope = make_envelope(CHANNEL, "x", replaceable=False)
    async with listen() as heard:
        assert await sender.adeliver(name_group(get_namespace(), CHANNEL), envelope)
        await await_until(lambda: heard)
    assert heard == ["x"]


def test_one_connection_carries_them_all(deliver: Deliver, backend: str, own_redis: Any, settings: Any) -> None:
    settings.CHANNEL_LAYERS = make_layers(backend, own_redis.url, capacity=10_000)
    with redis.Redis.from_url(own_redis.url) as control, ThreadPoolExecutor(8) as pool:
        control.zadd(f"asgi:group:{name_group(get_namespace(), CHANNEL)}", {"specific.somebody!x": time.time()})
        assert all(pool.map(deliver, TEXTS))
        assert len(control.client_list()) == 2


def test_outage_costs_one_wait_and_one_warning(
    deliver: Deliver, backend: str, own_redis: EmbeddedRedis, settings: Any, monkeypatch: Any, caplog: Any
) -> None:
    monkeypatch.setattr("channels_progress.transport.sender.SEND_TIMEOUT_S", 0.5)
    settings.CHANNEL_LAYERS = make_layers(backend, own_redis.url)
    wait_until(lambda: deliver("x"))
    caplog.clear()
    own_redis.pause()
    start = time.monotonic()
    assert [deliver("x") for _ in range(50)] == [False] * 50
    assert time.monotonic() - start < 10
    own_redis.resume()
    wait_until(lambda: deliver("x"))
    own_redis.stop()
    assert deliver("x") is False
    assert [record.message.rpartition(" ")[2] for record in caplog.records] == ["TimeoutError.", "ConnectionError."]


class Foreign:
    """A layer of nobody we know."""


def test_other_layers_are_refused_with_one_warning(deliver: Deliver, monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setattr("channels_progress.transport.sender.get_channel_layer", Foreign)
    assert [deliver("x"), deliver("x")] == [False, False]
    [record] = caplog.records
    assert "under gevent there must be a channel layer of channels_redis" in record.message


def test_what_waits_for_an_event_loop_is_ended() -> None:
    with pytest.raises(RuntimeError, match="needs an event loop"):
        run_to_end(asyncio.sleep(0))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({"address": "rediss://u:p@h:1/2?socket_timeout=30", "max_connections": 9}, ("h", 1, 2, "u", "p")),
        ({"host": "h", "port": 1, "db": 2, "username": "u", "password": "p"}, ("h", 1, 2, "u", "p")),
    ],
)
def test_client_goes_where_the_layer_goes_with_its_own_times(host: Any, expected: tuple[Any, ...]) -> None:
    options = make_client(host, 0.5).connection_pool.connection_kwargs
    assert tuple(options[key] for key in ("host", "port", "db", "username", "password")) == expected
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (0.5, 0.5)


def test_client_asks_the_sentinels_that_the_layer_asks() -> None:
    host = {"sentinels": [("h", 1)], "master_name": "m", "password": "p", "sentinel_kwargs": {"password": "q"}}
    pool: Any = make_client(host, 0.5).connection_pool
    [sentinel] = pool.sentinel_manager.sentinels
    asked = sentinel.connection_pool.connection_kwargs
    assert (pool.service_name, pool.connection_kwargs["password"], asked["host"], asked["password"]) == (
        "m", "p", "h", "q",
    )  # fmt: skip
    assert (asked["socket_timeout"], asked["socket_connect_timeout"]) == (0.5, 0.5)
