"""A feed whose Redis freezes, ends or cuts it off: it comes back with all it had joined, and says that it was away."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
import redis

from channels_progress.exceptions import StoreUnavailable
from channels_progress.store import Store
from example_project.embedded_redis import EmbeddedRedis
from tests.store.support import TIMEOUT_S, UID, Hints, begin, call_fails
from tests.waiting import await_until


@pytest.fixture
def store(store_of_its_own: Store) -> Store:
    """Not every store in turn: the one whose server these tests freeze and stop."""
    return store_of_its_own


async def test_feed_survives_a_restart(store: Store, own_redis: EmbeddedRedis, caplog: Any) -> None:
    async with Hints(store) as hints:
        for uid in "ab":
            await hints.feed.join(f"task:{uid}")
        with caplog.at_level(logging.INFO):
            own_redis.stop()
            with pytest.raises(StoreUnavailable):
                await hints.feed.join("task:c")
            with pytest.raises(StoreUnavailable):
                await hints.feed.join("task:a")
            assert hints.gaps == 0
            own_redis.start()
            await await_until(lambda: hints.gaps)
        for uid in "abc":
            await await_until(lambda: not call_fails(store))
            store.create(uid, owner="", body="{}")
        heard = await hints.get(3)
    assert [channel for channel, _, _ in heard] == ["task:a", "task:b", "task:c"]
    assert hints.gaps == 1
    assert [record.levelname for record in caplog.records if "hints" in record.getMessage().lower()] == [
        "WARNING",
        "INFO",
    ]


async def test_feed_notices_a_frozen_server(
    store: Store, own_redis: EmbeddedRedis, monkeypatch: Any, caplog: Any
) -> None:
    monkeypatch.setattr("channels_progress.store.redis_feed.PING_S", 0.1)
    control = redis.Redis.from_url(own_redis.url)
    async with Hints(store) as hints:
        await hints.feed.join("task:a")
        before = control.client_list(_type="pubsub")
        own_redis.pause()
        await await_until(lambda: caplog.records)
        own_redis.resume()
        await await_until(lambda: hints.gaps)
        assert [client["id"] for client in control.client_list(_type="pubsub")] != [client["id"] for client in before]
        await await_until(lambda: not call_fails(store))
        store.create("a", owner="", body="{}")
        await hints.get(1)


async def test_feed_keeps_a_silent_connection(store: Store, own_redis: EmbeddedRedis, monkeypatch: Any) -> None:
    monkeypatch.setattr("channels_progress.store.redis_feed.PING_S", 1.5 * TIMEOUT_S)
    control = redis.Redis.from_url(own_redis.url)
    async with Hints(store) as hints:
        await hints.feed.join("task:a")
        [before] = control.client_list(_type="pubsub")
        before_pings = count_pings(control)
        await await_until(lambda: count_pings(control) > before_pings + 1)
        [after] = control.client_list(_type="pubsub")
    assert (after["id"], hints.gaps) == (before["id"], 0)


def count_pings(control: redis.Redis) -> int:
    return int(control.info("commandstats").get("cmdstat_ping", {}).get("calls", 0))


async def test_feed_opened_while_redis_is_away_joins_later(store: Store, own_redis: EmbeddedRedis) -> None:
    own_redis.stop()
    async with Hints(store) as hints:
        with pytest.raises(StoreUnavailable):
            await hints.feed.join("task:a")
        own_redis.start()
        await await_until(lambda: hints.gaps)
        store.create("a", owner="", body="{}")
        await hints.get(1)


async def test_feed_whose_connection_is_killed_connects_again(store: Store, own_redis: EmbeddedRedis) -> None:
    control = redis.Redis.from_url(own_redis.url)
    async with Hints(store) as hints:
        for number in range(1, 4):
            await hints.feed.join(f"task:{number}")
            control.client_kill_filter(_type="pubsub")
            await await_until(lambda: hints.gaps == number)  # noqa: B023
        store.create("1", owner="", body="{}")
        await hints.get(1)
    assert hints.gaps == 3


async def test_feed_opened_on_a_frozen_server_waits_no_longer_than_others(
    store: Store, own_redis: EmbeddedRedis, caplog: Any
) -> None:
    own_redis.pause()
    async with Hints(store):
        await await_until(lambda: caplog.records, within_s=20 * TIMEOUT_S)
    assert [record.getMessage() for record in caplog.records] == ["No hints arrive for now: TimeoutError."]


async def test_join_ends_when_its_channel_is_left(store: Store, own_redis: EmbeddedRedis, configure: Any) -> None:
    configure(STORE_TIMEOUT_S=60)
    async with Hints(store) as hints:
        await hints.feed.join("task:a")
        own_redis.pause()
        joining = asyncio.create_task(hints.feed.join("task:b"))
        await asyncio.sleep(0)
        await hints.feed.leave("task:b")
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(joining, 5)
        own_redis.resume()


async def test_only_the_last_confirmation_puts_a_channel_in_force(store: Store) -> None:
    """Left and joined again, a channel is subscribed, unsubscribed, subscribed: only then nothing can be missed."""
    feed = store.open_feed(lambda *hint: None, lambda: None)
    feed._connection = connection = RecordingConnection()
    abandoned = asyncio.create_task(feed.join("task:a"))
    await asyncio.sleep(0)
    await feed.leave("task:a")
    joining = asyncio.create_task(feed.join("task:a"))
    await asyncio.sleep(0)
    [(_, name), _, _] = connection.sent
    assert connection.sent == [("SUBSCRIBE", name), ("UNSUBSCRIBE", name), ("SUBSCRIBE", name)]
    feed._confirm(name)
    await asyncio.wait([joining], timeout=TIMEOUT_S / 10)
    assert not joining.done()
    feed._confirm(name)
    await joining
    await asyncio.gather(abandoned, return_exceptions=True)


class RecordingConnection:
    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []

    async def send_command(self, *command: Any) -> None:
        self.sent.append(command)


async def test_what_is_no_hint_is_ignored(store: Store, own_redis: EmbeddedRedis) -> None:
    control = redis.Redis.from_url(own_redis.url)
    async with Hints(store) as hints:
        await hints.feed.join(f"task:{UID}")
        [name] = control.pubsub_channels()
        for payload in (b"", b"x{}", b"{}", b"k\xff"):
            assert control.publish(name, payload) == 1
        begin(store)
        frames = await hints.frames(1)
    assert [frame["state"]["state"] for frame in frames] == ["STARTED"]
