"""The hub: joins and leaves, what reaches which socket, and how what was lost is found again."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from channels_progress.consumers.hub import Hub, get_hub
from channels_progress.records import Message, Stamp
from tests.consumers.doubles import Page, UnrulyStore
from tests.reducer import Page as View
from tests.waiting import await_until

CHANNEL = "task:t"
LIVE, ENDED = ("STARTED", "live"), ("SUCCESS", None)
tenant = contextvars.ContextVar("tenant", default="nobody")


@contextmanager
def attached(hub: Hub, *pages: Page) -> Iterator[None]:
    for page in pages:
        hub.attach(page.outbox)
    try:
        yield
    finally:
        for page in pages:
            hub.detach(page.outbox)


def begin(store: UnrulyStore, uid: str = "t") -> Stamp:
    begun = store.begin(uid, delivery="d", owner="", body="{}")
    return Stamp(uid, begun.epoch, begun.attempt)


async def watch(hub: Hub, *pages: Page) -> None:
    for page in pages:
        await hub.subscribe(page.outbox, {CHANNEL: None})


async def test_sockets_of_one_task_share_one_subscription(store: UnrulyStore) -> None:
    hub, one, two = get_hub(), Page(), Page()
    begin(store)
    with attached(hub, one, two):
        await watch(hub, one, two)
        store.finish("t", "SUCCESS")
        await await_until(lambda: one.shown == two.shown == ("subscribed", LIVE, ENDED))
        hub.unsubscribe(one.outbox, CHANNEL)
        assert store.calls == [("join", CHANNEL)]
        hub.unsubscribe(two.outbox, CHANNEL)
        await await_until(lambda: store.calls == [("join", CHANNEL), ("leave", CHANNEL)])


async def test_all_sockets_get_the_same_text_object(store: UnrulyStore) -> None:
    hub, texts = get_hub(), []
    pages = Page(), Page()
    with attached(hub, *pages):
        await watch(hub, *pages)
        for page in pages:
            page.outbox._send = lambda message: asyncio.sleep(0, texts.append(message["text"]))
        begin(store)
        await await_until(lambda: len(texts) == 2)
        assert texts[0] is texts[1]


async def test_join_that_meets_a_leave_waits_and_joins_again(store: UnrulyStore) -> None:
    hub, one, two = get_hub(), Page(), Page()
    begin(store)
    with attached(hub, one, two):
        await watch(hub, one)
        store.gate.clear()
        hub.unsubscribe(one.outbox, CHANNEL)
        await await_until(lambda: store.calls[-1] == ("leave", CHANNEL))
        joining = asyncio.create_task(watch(hub, two))
        assert await asyncio.wait([joining], timeout=0.1) == (set(), {joining})
        assert store.calls == [("join", CHANNEL), ("leave", CHANNEL)]
        store.gate.set()
        await joining
        assert store.calls == [("join", CHANNEL), ("leave", CHANNEL), ("join", CHANNEL)]
        store.finish("t", "SUCCESS")
        await await_until(lambda: two.shown == ("subscribed", LIVE, ENDED))
        assert one.shown == ("subscribed", LIVE)


async def test_join_whose_socket_goes_meanwhile_is_undone(store: UnrulyStore) -> None:
    hub, one, two = get_hub(), Page(), Page()
    with attached(hub, two):
        store.gate.clear()
        with attached(hub, one):
            joining = asyncio.create_task(watch(hub, one))
            await await_until(lambda: store.calls == [("join", CHANNEL)])
            joining.cancel()
        store.gate.set()
        await await_until(lambda: store.calls == [("join", CHANNEL), ("leave", CHANNEL)])
        await watch(hub, two)
        assert store.calls[2:] == [("join", CHANNEL)]


async def test_hint_between_join_and_reading_is_not_missed(store: UnrulyStore) -> None:
    hub, page = get_hub(), Page()
    begin(store)
    store.gate.clear()
    with attached(hub, page):
        joining = asyncio.create_task(watch(hub, page))
        await await_until(lambda: store.calls == [("join", CHANNEL)])
        store.finish("t", "SUCCESS")
        await await_until(lambda: page.shown == (ENDED,))
        store.gate.set()
        await joining
        assert page.shown == (ENDED, "subscribed", ENDED)


@pytest.mark.parametrize("others", [0, 1])
async def test_hint_that_overtakes_the_reading_is_made_up_for(store: UnrulyStore, others: int) -> None:
    hub, page, neighbours = get_hub(), Page(), [Page() for _ in range(others)]
    stamp, view = begin(store), View(CHANNEL)
    with attached(hub, page, *neighbours):
        await watch(hub, *neighbours)
        loop = asyncio.get_running_loop()

        def end_meanwhile() -> None:
            store.write(stamp, body="{}", messages=[Message("info", "last words")])
            store.finish("t", "SUCCESS")
            asyncio.run_coroutine_threadsafe(await_until(lambda: ENDED in page.shown), loop).result()

        store.after_read = end_meanwhile
        await watch(hub, page)
        assert page.shown[-2:] == ("subscribed", LIVE)
        await await_until(lambda: page.shown[-2:] == ("subscribed", ENDED))
    for frame in page.frames:
        view.hear(frame)
    assert (view.endings, [line["text"] for line in view.seen.messages]) == (["SUCCESS"], ["last words"])


async def test_task_without_a_record_is_watched(store: UnrulyStore) -> None:
    hub, page = get_hub(), Page()
    with attached(hub, page):
        await watch(hub, page)
        assert page.shown == ("subscribed",)
        begin(store)
        await await_until(lambda: page.shown == ("subscribed", LIVE))


async def test_messages_are_replayed_to_the_asking_socket_only(store: UnrulyStore) -> None:
    hub, one, two = get_hub(), Page(), Page()
    stamp = begin(store)
    store.write(stamp, body="{}", messages=[Message("info", text) for text in "abc"])
    with attached(hub, one, two):
        await watch(hub, one)
        await hub.subscribe(two.outbox, {CHANNEL: (stamp.epoch, 2)})
        assert [[m["text"] for m in page.frames[1]["messages"]] for page in (one, two)] == [["a", "b", "c"], ["c"]]
        assert len(one.frames) == 2


async def test_lost_ending_is_found_by_the_resync(store: UnrulyStore, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "RESYNC_S": 0.02}
    hub, page = get_hub(), Page()
    begin(store)
    with attached(hub, page):
        await watch(hub, page)
        store.deaf = True
        store.finish("t", "SUCCESS")
        await await_until(lambda: page.shown == ("subscribed", LIVE, "subscribed", ENDED))


async def test_gap_resyncs_at_once_and_only_what_is_behind(store: UnrulyStore) -> None:
    hub, page, other = get_hub(), Page(), Page()
    begin(store)
    begin(store, "other")
    with attached(hub, page, other):
        await watch(hub, page)
        await hub.subscribe(other.outbox, {"task:other": None})
        store.deaf = True
        store.finish("t", "SUCCESS")
        store.feeds[0].on_gap()
        await await_until(lambda: page.shown == ("subscribed", LIVE, "subscribed", ENDED))
        assert other.shown == ("subscribed", LIVE)


async def test_what_one_socket_has_read_does_not_hide_what_others_lack(store: UnrulyStore) -> None:
    hub, early, late = get_hub(), Page(), Page()
    begin(store)
    with attached(hub, early, late):
        await watch(hub, early)
        store.deaf = True
        store.finish("t", "SUCCESS")
        await watch(hub, late)
        assert late.shown == ("subscribed", ENDED)
        store.feeds[0].on_gap()
        await await_until(lambda: early.shown == ("subscribed", LIVE, "subscribed", ENDED))


async def test_lost_messages_come_with_the_resync_and_no_others(store: UnrulyStore) -> None:
    hub, page = get_hub(), Page()
    stamp = begin(store)
    with attached(hub, page):
        await watch(hub, page)
        store.write(stamp, body="{}", messages=[Message("info", "a")])
        await await_until(lambda: len(page.frames) == 3)
        store.deaf = True
        store.write(stamp, body="{}", messages=[Message("info", "lost")])
        store.deaf = False
        store.write(stamp, body="{}", messages=[Message("info", "c")])
        await await_until(lambda: len(page.frames) == 4)
        store.feeds[0].on_gap()
        await await_until(lambda: len(page.frames) == 6)
        assert [message["text"] for message in page.frames[5]["messages"]] == ["lost", "c"]


async def test_resync_tries_until_the_store_answers(store: UnrulyStore) -> None:
    hub, page = get_hub(), Page()
    begin(store)
    with attached(hub, page):
        await watch(hub, page)
        store.deaf, store.away = True, 2
        store.finish("t", "SUCCESS")
        store.feeds[0].on_gap()
        await await_until(lambda: page.shown == ("subscribed", LIVE, "subscribed", ENDED))


async def test_subscription_while_the_store_is_away_is_answered_when_it_is_back(store: UnrulyStore) -> None:
    hub, page = get_hub(), Page()
    begin(store)
    store.away = 2
    with attached(hub, page):
        await watch(hub, page)
        assert page.shown == ("subscribed",)
        await await_until(lambda: page.shown == ("subscribed", "subscribed", LIVE))


async def test_subscription_that_is_not_confirmed_in_time_is_read_once_more(store: UnrulyStore, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "STORE_TIMEOUT_S": 0.02}
    hub, page = get_hub(), Page()
    begin(store)
    store.gate.clear()
    with attached(hub, page):
        await watch(hub, page)
        assert page.shown == ("subscribed", LIVE)
        store.deaf = True
        store.finish("t", "SUCCESS")
        store.deaf = False
        store.gate.set()
        await await_until(lambda: page.shown == ("subscribed", LIVE, "subscribed", ENDED))


async def test_refused_subscription_is_tried_again_and_the_page_kept_up_to_date_meanwhile(
    store: UnrulyStore, settings: Any
) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "STORE_TIMEOUT_S": 0.02}
    hub, page = get_hub(), Page()
    stamp = begin(store)
    store.refusals, began = 3, time.monotonic()
    with attached(hub, page):
        await watch(hub, page)
        assert page.shown[-2:] == ("subscribed", LIVE)
        store.write(stamp, body="{}")
        await await_until(lambda: page.shown[-1] == ("PROGRESS", "live"))
        await await_until(lambda: store.calls == [("join", CHANNEL)] * 4)
        # Not as fast as it could.
        assert time.monotonic() - began > 0.5
        readings = len(page.frames)
        store.finish("t", "SUCCESS")
        await await_until(lambda: page.shown[readings:] == (ENDED,))


async def test_another_epoch_is_shown_by_a_reading_never_by_a_hint(store: UnrulyStore) -> None:
    hub, page = get_hub(), Page()
    begin(store)
    store.finish("t", "SUCCESS")
    with attached(hub, page):
        await watch(hub, page)
        store.create("t", owner="", body="{}")
        await await_until(lambda: page.shown == ("subscribed", ENDED, "subscribed", ("PENDING", None)))
        store.finish("t", "REVOKED")
        await await_until(lambda: page.shown[4:] == (("REVOKED", None),))


async def test_hint_that_comes_while_another_epoch_is_read_is_not_lost(store: UnrulyStore) -> None:
    hub, page = get_hub(), Page()
    begin(store)
    store.finish("t", "FAILURE")
    with attached(hub, page):
        await watch(hub, page)
        store.after_read = lambda: store.finish("t", "SUCCESS")
        store.create("t", owner="", body="{}")
        await await_until(lambda: page.shown[3:] == (("PENDING", None), "subscribed", ENDED))


async def test_record_that_vanished_is_still_watched(store: UnrulyStore) -> None:
    hub, page = get_hub(), Page()
    begin(store)
    with attached(hub, page):
        await watch(hub, page)
        store.forget_all()
        store.feeds[0].on_gap()
        store.finish("t", "SUCCESS")
        await await_until(lambda: page.shown == ("subscribed", LIVE, "subscribed", ENDED))


@pytest.mark.parametrize("knew", [False, True], ids=["watching", "reconnecting"])
async def test_running_task_whose_record_is_gone_reads_stalled_then_lost(
    store: UnrulyStore, settings: Any, knew: bool
) -> None:
    settings.CHANNELS_PROGRESS |= {"RESYNC_S": 0.02, "STALLED_AFTER_S": 0.1, "LOST_AFTER_S": 0.2}
    hub, page, stranger = get_hub(), Page(), Page()
    if not knew:
        begin(store)
    with attached(hub, page, stranger):
        await hub.subscribe(page.outbox, {CHANNEL: ("e", 0) if knew else None})
        await hub.subscribe(stranger.outbox, {"task:unknown": None})
        store.forget_all()
        await await_until(lambda: page.frames[-1].get("liveness") == "lost")
        told = [frame["liveness"] for frame in page.frames if frame["type"] == "missing"]
        assert told == sorted(told, reverse=True)
        assert page.frames[-1] == {"type": "missing", "v": 1, "channel": CHANNEL, "liveness": "lost"}
        begin(store)
        await await_until(lambda: page.shown[-1] == LIVE)
        assert stranger.shown == ("subscribed",)


async def test_silence_is_noticed_and_so_is_its_end(settings: Any) -> None:
    clock = [1000.0]
    store = UnrulyStore(clock=lambda: clock[0])
    settings.CHANNELS_PROGRESS = {"STORE": lambda: store, "RESYNC_S": 0.02}
    hub, page = get_hub(), Page()
    stamp = begin(store)
    with attached(hub, page):
        await watch(hub, page)
        for age_s in (21, 121):
            clock[0] = 1000.0 + age_s
            await await_until(lambda: len(page.frames) == (4 if age_s == 21 else 6))  # noqa: B023
        store.heartbeat([stamp])
        await await_until(lambda: len(page.frames) == 8)
        assert page.shown[1::2] == (LIVE, ("STARTED", "stalled"), ("STARTED", "lost"), LIVE)


async def test_hub_survives_its_feed(store: UnrulyStore, caplog: pytest.LogCaptureFixture) -> None:
    hub, page = get_hub(), Page()
    begin(store)
    with attached(hub, page):
        await watch(hub, page)
        store.deaf = True
        store.finish("t", "SUCCESS")
        store.deaf = False
        store.feeds[0].failure.set_exception(ZeroDivisionError("a defect"))
        await await_until(lambda: page.shown == ("subscribed", LIVE, "subscribed", ENDED))
        assert store.feeds[0].closed
        store.create("t", owner="", body="{}")
        await await_until(lambda: page.shown[4:] == ("subscribed", ("PENDING", None)))
    assert [record.levelname for record in caplog.records if record.levelno > logging.INFO] == ["ERROR"]


async def test_hub_survives_the_cancelling_of_a_duty(store: UnrulyStore) -> None:
    hub, page = get_hub(), Page()
    with attached(hub, page):
        await watch(hub, page)
        store.feeds[0].failure.cancel()
        await await_until(lambda: len(store.feeds) == 2)
        begin(store)
        await await_until(lambda: page.shown[-1] == LIVE)


async def test_hub_ends_with_its_last_socket_and_leaves_nothing_behind(store: UnrulyStore) -> None:
    before, hub, page = asyncio.all_tasks(), get_hub(), Page()
    with attached(hub, page):
        await watch(hub, page)
        assert get_hub() is hub
    assert hub.is_stopped
    assert get_hub() is not hub
    await await_until(lambda: asyncio.all_tasks() == before)
    assert store.feeds[0].closed


async def test_nothing_holds_on_to_a_stopped_hub(store: UnrulyStore) -> None:
    page = Page()
    with attached(get_hub(), page):
        await watch(get_hub(), page)
        gone = weakref.ref(get_hub())
    store.feeds.clear()
    await await_until(lambda: (gc.collect(), gone())[1] is None)


async def test_changed_store_gets_a_hub_of_its_own(store: UnrulyStore, settings: Any) -> None:
    hub, page = get_hub(), Page()
    with attached(hub, page):
        await watch(hub, page)
        settings.CHANNELS_PROGRESS = {"STORE": "memory"}
        assert get_hub() is not hub
        begin(store)
        await await_until(lambda: page.shown == ("subscribed", LIVE))


async def test_tenants_have_hubs_of_their_own_that_keep_to_their_namespace(store: UnrulyStore, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "NAMESPACE": tenant.get, "STORE": lambda: store}
    pages = {name: Page() for name in ("red", "blue")}
    hubs = {}
    for name, page in pages.items():
        tenant.set(name)
        hubs[name] = get_hub()
        hubs[name].attach(page.outbox)
        begin(store)
        await watch(hubs[name], page)
    store.finish("t", "SUCCESS")
    await await_until(lambda: pages["blue"].shown == ("subscribed", LIVE, ENDED))
    assert pages["red"].shown == ("subscribed", LIVE)
    for name, page in pages.items():
        hubs[name].detach(page.outbox)


async def test_hub_runs_outside_the_context_of_whoever_came_first(store: UnrulyStore) -> None:
    tenant.set("first")
    hub, page, seen = get_hub(), Page(), []
    page.outbox._send = lambda message: asyncio.sleep(0, seen.append(tenant.get()))
    with attached(hub, page):
        await watch(hub, page)
        store.deaf = True
        begin(store)
        store.feeds[0].on_gap()
        await await_until(lambda: seen == ["first", "nobody", "nobody"])
