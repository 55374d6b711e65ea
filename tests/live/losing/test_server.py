"""An ASGI server that is restarted, or killed, under hundreds of pages: all come back at once, and none is wrong."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
import redis

from channels_progress.records import TaskState
from channels_progress.store import Store, get_store
from channels_progress.store.connection import MAX_CONNECTIONS
from example_project.embedded_redis import EmbeddedRedis
from tests.live.losing.crowd import Crowd, count_commands
from tests.live.rig import Rig, Site

pytestmark = pytest.mark.xdist_group("faults")

PAGES, TASKS = 500, 100


def begin_all(store: Store, name: str) -> list[str]:
    uids = [f"{name}-{number}" for number in range(TASKS)]
    for uid in uids:
        store.begin(uid, delivery="d", owner="", body="{}")
    return uids


@pytest.mark.parametrize(("how", "code"), [("restarted", 1012), ("killed", 1006)])
async def test_all_pages_come_back_at_once_and_none_misses_an_end(
    how: str, code: int, rig: Rig, site: Site, losing_redis: EmbeddedRedis
) -> None:
    store = get_store()
    uids = begin_all(store, how)
    async with Crowd(site, uids * (PAGES // TASKS)) as crowd:
        crowd.come()
        await crowd.await_shown(Counter(STARTED=PAGES))
        await asyncio.to_thread(site.stop if how == "restarted" else site.kill)
        assert await crowd.await_cut_off() == {code: PAGES}
        for uid in uids[::2]:
            store.finish(uid, TaskState.SUCCESS)
        await asyncio.to_thread(site.start)
        with redis.Redis(port=losing_redis.port) as control:
            control.config_resetstat()
            crowd.come()
            await crowd.await_shown(Counter(STARTED=PAGES // 2, SUCCESS=PAGES // 2))
            asked, clients = count_commands(control), len(control.client_list())
        for uid in uids[1::2]:
            store.finish(uid, TaskState.FAILURE)
        await crowd.await_shown(Counter(FAILURE=PAGES // 2, SUCCESS=PAGES // 2))
        assert crowd.find_faults() == []
    # One reading per page; and what was stale before its hints were in force is read once more for all.
    assert asked["evalsha"] + asked["eval"] <= PAGES + 2 * TASKS
    assert asked["subscribe"] <= 2 * TASKS
    # The site's, its subscription, and those of this process.
    assert clients <= MAX_CONNECTIONS + 1 + 4
