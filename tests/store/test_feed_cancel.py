"""A cancelled feed ends, at whatever moment the cancel comes: else a server would hang at its end."""

from __future__ import annotations

import asyncio

import pytest

from channels_progress.store import Store
from tests.waiting import await_until

STEPS = 40


@pytest.mark.parametrize("steps", range(STEPS))
async def test_cancelled_while_connecting_it_ends(redis_store: Store, steps: int) -> None:
    feed = redis_store.open_feed(lambda *hint: None, lambda: None)
    tasks = [asyncio.create_task(feed.run()), asyncio.create_task(feed.join("task:a"))]
    for _ in range(steps):
        await asyncio.sleep(0)
    # All at once, as asyncio.run() does at the end.
    for task in tasks:
        task.cancel()
    await await_until(lambda: all(task.done() for task in tasks), message="the feed runs on")
    await asyncio.gather(*tasks, return_exceptions=True)
    await feed.close()
