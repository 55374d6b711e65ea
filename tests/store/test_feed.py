"""Feeds: what is joined is heard, from the join on, in order, and nothing else."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from channels_progress.records import TaskState
from channels_progress.store import Store
from tests.store.support import Hints, begin
from tests.waiting import await_until


async def test_hints_arrive_in_the_order_of_the_writes(store: Store, listen: Any) -> None:
    stamp = begin(store, uid="a")
    async with listen(store, "task:a") as hints:
        for number in range(100):
            store.write(stamp, body=f'{{"current":{number}}}')
        frames = await hints.frames(100)
    assert [frame["state"]["current"] for frame in frames] == list(range(100))
    assert hints.gaps == 0


async def test_only_joined_channels_are_heard(store: Store, listen: Any) -> None:
    async with listen(store, "task:a", "task:b", "elsewhere:a") as hints:
        for uid in "abc":
            store.create(uid, owner="", body="{}")
        await hints.get(2)
        await hints.feed.leave("task:a")
        await hints.feed.leave("task:unknown")
        for uid in "ab":
            begin(store, uid=uid)
        heard = await hints.get(3)
    assert [(channel, frame["state"]["state"]) for channel, _, frame in heard] == [
        ("task:a", "PENDING"),
        ("task:b", "PENDING"),
        ("task:b", "STARTED"),
    ]


async def test_nothing_is_heard_after_leaving(store: Store, listen: Any) -> None:
    async with listen(store, "task:a", "task:b") as hints:
        for _ in range(20):
            store.finish("a", TaskState.SUCCESS)
            store.create("a", owner="", body="{}")
        await hints.feed.leave("task:a")
        before = len(hints.heard)
        store.create("b", owner="", body="{}")
        await await_until(lambda: "task:b" in [channel for channel, _, _ in hints.heard])
    assert [channel for channel, _, _ in hints.heard[before:]] == ["task:b"]


async def test_ending_right_after_join_is_never_missed(store: Store, listen: Any) -> None:
    uids = [f"u{number}" for number in range(50)]
    async with listen(store) as hints:
        for uid in uids:
            await hints.feed.join(f"task:{uid}")
            store.finish(uid, TaskState.SUCCESS)
        heard = await hints.get(len(uids))
    assert [channel for channel, _, _ in heard] == [f"task:{uid}" for uid in uids]


async def test_many_joins_at_once(store: Store, listen: Any) -> None:
    channels = [f"task:u{number}" for number in range(500)]
    async with listen(store) as hints:
        await asyncio.gather(*(hints.feed.join(channel) for channel in channels * 2))
        for channel in channels:
            store.create(channel.removeprefix("task:"), owner="", body="{}")
        heard = await hints.get(len(channels))
    assert [channel for channel, _, _ in heard] == channels


async def test_channel_left_and_joined_again_at_once_is_in_force(store: Store, listen: Any) -> None:
    async with listen(store) as hints:
        for number in range(30):
            abandoned = asyncio.create_task(hints.feed.join("task:a"))
            await asyncio.sleep(0)
            await hints.feed.leave("task:a")
            await hints.feed.join("task:a")
            store.finish("a", TaskState.SUCCESS)
            store.create("a", owner="", body="{}")
            await asyncio.gather(abandoned, return_exceptions=True)
            await hints.get(2 * (number + 1))


async def test_namespaces_do_not_hear_each_other(store: Store, listen: Any, configure: Any) -> None:
    async with listen(store, "task:a") as hints:
        configure(NAMESPACE="other")
        store.create("a", owner="", body="{}")
        configure()
        begin(store, uid="a")
        [frame] = await hints.frames(1)
    assert frame["state"]["state"] == "STARTED"


async def test_hints_are_delivered_in_the_loop_of_the_feed(store: Store) -> None:
    threads: list[int] = []
    feed = store.open_feed(lambda *hint: threads.append(threading.get_ident()), lambda: None)
    running = asyncio.create_task(feed.run())
    await feed.join("task:a")
    await asyncio.to_thread(store.create, "a", owner="", body="{}")
    await await_until(lambda: threads)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await feed.close()
    assert threads == [threading.get_ident()]


async def test_hint_that_cannot_be_handled_costs_no_other(store: Store, caplog: Any) -> None:
    async with Hints(store, fails=True) as hints:
        await hints.feed.join("task:a")
        for _ in range(3):
            store.create("a", owner="", body="{}")
            store.finish("a", TaskState.SUCCESS)
        frames = await hints.frames(6)
    assert [frame["state"]["state"] for frame in frames] == ["PENDING", "SUCCESS"] * 3
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 6


async def test_closed_feed_hears_nothing(store: Store) -> None:
    async with Hints(store) as hints:
        await hints.feed.join("task:a")
    store.create("a", owner="", body="{}")
    await hints.feed.close()
    assert hints.heard == []
