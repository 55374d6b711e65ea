"""A person's list of tasks over the socket: watched like a task, though all it says is how new it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis

from channels_progress.consumers.hub import get_hub
from channels_progress.consumers.sources import find_source
from channels_progress.events import list_channel
from channels_progress.records import ListVersion, list_id
from channels_progress.store import Store, get_store
from channels_progress.tokens import issue_subscription_token
from example_project.embedded_redis import EmbeddedRedis
from tests.consumers.doubles import Page, UnrulyStore
from tests.consumers.live import Server, receive, serving
from tests.consumers.sockets import VISITOR
from tests.waiting import await_until

OWNER = VISITOR.owner_key
CHANNEL = list_channel(OWNER)
SUBSCRIBED = {"type": "subscribed", "v": 1, "channel": CHANNEL}


def create(store: Store, uid: str = "t", owner: str = OWNER) -> None:
    store.create(uid, owner=owner, body="{}")


def version_of(store: Store) -> ListVersion:
    [version] = store.list_versions([list_id(OWNER)])
    assert version
    return version


@pytest.fixture
async def watching(store: UnrulyStore) -> Any:
    """A page that watches the list, on which there is one task."""
    create(store)
    page = Page()
    hub = get_hub()
    hub.attach(page.outbox)
    await hub.subscribe(page.outbox, {CHANNEL: None})
    yield page
    hub.detach(page.outbox)


def versions_shown(page: Page) -> list[Any]:
    """Of list frames their version, of others their type."""
    return [
        ListVersion(frame["epoch"], frame["seq"]) if frame["type"] == "tasks" else frame["type"]
        for frame in page.frames
    ]


@pytest.mark.parametrize("channel", ["task:", "tasks:", "tas", "other:x", ""])
def test_other_channels_show_nothing(channel: str) -> None:
    assert find_source(channel) is None


async def test_reading_is_the_version_and_each_change_a_hint(store: UnrulyStore, watching: Page) -> None:
    reading = version_of(store)
    assert versions_shown(watching) == ["subscribed", reading]
    frame = watching.frames[1]
    assert frame == {
        "type": "tasks", "v": 1, "channel": CHANNEL, "epoch": reading.epoch, "seq": 1, "now": frame["now"]
    }  # fmt: skip
    create(store, "u")
    store.begin("u", delivery="d", owner=OWNER, body="{}")
    store.finish("u", "SUCCESS")
    store.mark("u", seen=True)
    await await_until(lambda: versions_shown(watching)[-1] == version_of(store) == ListVersion(reading.epoch, 3))
    assert len(watching.frames) == 4


async def test_list_nobody_was_ever_on_is_watched(store: UnrulyStore) -> None:
    hub, page = get_hub(), Page()
    hub.attach(page.outbox)
    await hub.subscribe(page.outbox, {CHANNEL: None, "task:t": None})
    assert versions_shown(page) == ["subscribed", "subscribed"]
    create(store)
    await await_until(lambda: len(page.frames) == 4)
    assert version_of(store) in versions_shown(page)
    hub.detach(page.outbox)


async def test_lost_change_is_found_by_the_resync(store: UnrulyStore, watching: Page) -> None:
    store.deaf = True
    create(store, "u")
    store.feeds[0].on_gap()
    await await_until(lambda: versions_shown(watching)[2:] == ["subscribed", version_of(store)])


async def test_second_page_costs_no_reading_for_the_first(store: UnrulyStore, watching: Page) -> None:
    create(store, "u")
    await await_until(lambda: len(watching.frames) == 3)
    hub, other = get_hub(), Page()
    hub.attach(other.outbox)
    await hub.subscribe(other.outbox, {CHANNEL: None})
    store.feeds[0].on_gap()
    create(store, "v")
    await await_until(lambda: versions_shown(watching)[-1] == versions_shown(other)[-1] == version_of(store))
    assert (len(watching.frames), len(other.frames)) == (4, 3)
    hub.detach(other.outbox)


async def test_list_that_was_lost_heals_without_a_word_about_it(
    store: UnrulyStore, watching: Page, settings: Any
) -> None:
    settings.CHANNELS_PROGRESS |= {"RESYNC_S": 0.02, "STALLED_AFTER_S": 0.01, "LOST_AFTER_S": 0.02}
    hub = get_hub()
    await hub.subscribe(watching.outbox, {"task:t": None})
    former, heard = version_of(store), len(watching.frames)
    store.forget_all()
    store.feeds[0].on_gap()
    # The task says so, its list does not.
    await await_until(lambda: watching.frames[-1].get("liveness") == "lost")
    assert {frame["channel"] for frame in watching.frames[heard:]} == {"task:t"}
    store.deaf = True
    create(store, "u")
    await await_until(lambda: versions_shown(watching)[-1] == version_of(store) != former)


async def test_change_while_the_store_is_away_is_read_later(store: UnrulyStore, watching: Page) -> None:
    store.deaf = True
    create(store, "u")
    now, store.away = version_of(store), 2
    store.feeds[0].on_gap()
    await await_until(lambda: versions_shown(watching)[2:] == ["subscribed", now])


@pytest.fixture
def server(own_redis: EmbeddedRedis, settings: Any, tmp_path: Path) -> Iterator[Server]:
    """A server process on a Redis of its own; this process is the worker's."""
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    shared = {"STORE": own_redis.url, "NAMESPACE": "lists", "RECORD_TTL_S": 60, "RESYNC_S": 0.5}
    settings.CHANNELS_PROGRESS = shared
    with ExitStack() as stack:
        yield stack.enter_context(serving("uvicorn", tmp_path, **shared))


@pytest.mark.live
async def test_task_of_another_process_appears_also_after_redis_lost_everything(
    server: Server, own_redis: EmbeddedRedis
) -> None:
    token = issue_subscription_token(VISITOR, [CHANNEL])
    async with server.open() as socket:
        await socket.send(json.dumps({"type": "subscribe", "token": token}))
        assert await receive(socket) == SUBSCRIBED
        create(get_store())
        first = await receive(socket)
        assert (first["type"], first["seq"]) == ("tasks", 1)
        redis.Redis.from_url(own_redis.url).flushall()
        assert get_store().list_for(OWNER).records == ()
        get_store().begin("t", delivery="d", owner=OWNER, body="{}")
        assert await receive(socket) == SUBSCRIBED
        second = await receive(socket)
        assert (second["type"], second["seq"], second["epoch"] != first["epoch"]) == ("tasks", 1, True)
        assert [record.uid for record in get_store().list_for(OWNER).records] == ["t"]
