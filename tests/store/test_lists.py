"""The lists of tasks: what is on them, what hides, what changes their version and announces it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from channels_progress.events import list_channel, list_frame
from channels_progress.records import ListVersion, TaskState, list_id
from channels_progress.store import Store
from channels_progress.store.memory import MemoryStore
from tests.store.support import UID, record_of, snapshot_of
from tests.store.support import begin as begin_stamped

OWNER, OTHER = "user:1", "session:a-nonce"


def create(store: Store, uid: str = UID, owner: str = OWNER, **options: Any) -> None:
    store.create(uid, owner=owner, body="{}", **options)


def begin(store: Store, uid: str = UID, owner: str = OWNER, delivery: str = "d1") -> None:
    store.begin(uid, delivery=delivery, owner=owner, body="{}")


def end(store: Store, uid: str = UID, owner: str = OWNER) -> None:
    create(store, uid, owner)
    begin(store, uid, owner)
    store.finish(uid, TaskState.SUCCESS, delivery="d1")


def uids_of(store: Store, owner: str | None = OWNER, **options: Any) -> list[str]:
    return [record.uid for record in store.list_for(owner, **options).records]


def version_of(store: Store, owner: str = OWNER) -> ListVersion | None:
    [version] = store.list_versions([list_id(owner)])
    return version


def changes(store: Store, call: Callable[[], Any], owner: str = OWNER) -> int:
    """How often the version of the owner's list changes in ``call``."""
    before = version_of(store, owner) or ListVersion()
    call()
    after = version_of(store, owner) or ListVersion()
    assert before.epoch in ("", after.epoch)
    return after.seq - before.seq


def test_nobody_learns_the_owner_from_the_list_id() -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", list_id("session:é\ud800"))
    assert list_channel("user:1") == f"tasks:{list_id('user:1')}" != list_channel("user:2")


def test_list_holds_the_records_of_its_owner_newest_first(store: Store) -> None:
    for uid, owner in (("a", OWNER), ("b", OTHER), ("c", OWNER), ("d", "")):
        create(store, uid, owner)
    listing = store.list_for(OWNER)
    assert listing.records == tuple(snapshot_of(store, uid).record for uid in "ca")
    assert listing.version == version_of(store) == ListVersion(listing.version.epoch, 2)
    assert 0 <= listing.now - listing.records[0].created_at < 5000
    assert (uids_of(store, OTHER), uids_of(store, None), uids_of(store, "user:2")) == (["b"], [*"dcba"], [])


def test_list_nobody_was_ever_on_has_no_version(store: Store) -> None:
    assert store.list_versions([list_id(OWNER), list_id(OTHER)]) == [None, None]
    assert replace(store.list_for(OWNER), now=0) == replace(store.list_for(None), now=0)
    assert store.list_for(OWNER).version == ListVersion("", 0)
    assert store.list_versions([]) == []


def test_limit_takes_the_newest(store: Store) -> None:
    for uid in "abcd":
        create(store, uid)
    assert (uids_of(store, limit=2), uids_of(store, None, limit=3)) == ([*"dc"], [*"dcb"])


def test_no_more_tasks_are_remembered_than_the_settings_say(store: Store, store_url: str, configure: Any) -> None:
    configure(STORE=store_url, LISTED_PER_PERSON=2, LISTED_FOR_STAFF=3)
    for uid in "abcd":
        create(store, uid)
    assert (uids_of(store), uids_of(store, None)) == ([*"dc"], [*"dcb"])


def test_name_and_worker_are_those_of_the_attempt(store: Store) -> None:
    create(store, name="cities.import")
    assert (record_of(store).name, record_of(store).worker) == ("cities.import", "")
    store.begin(UID, delivery="d1", owner=OWNER, body="{}", name="cities.other", worker="celery@ü")
    store.begin(UID, delivery="d1", owner=OWNER, body="{}", name="late", worker="late")
    assert (record_of(store).name, record_of(store).worker) == ("cities.other", "celery@ü")
    store.begin(UID, delivery="d2", owner=OWNER, body="{}")
    assert (record_of(store).name, record_of(store).worker) == ("cities.other", "")


def test_finish_that_makes_the_record_lists_it(store: Store) -> None:
    def finish() -> None:
        store.finish(UID, TaskState.REVOKED, delivery="d", owner=OWNER, name="n", worker="w")

    assert (changes(store, finish), changes(store, finish)) == (1, 0)
    [record] = store.list_for(OWNER).records
    assert (record.uid, record.name, record.worker) == (UID, "n", "w")
    assert uids_of(store, None) == [UID]


@pytest.mark.parametrize("first", [create, begin], ids=["create", "begin"])
@pytest.mark.parametrize("second", [create, begin], ids=["create", "begin"])
def test_task_is_added_once(store: Store, first: Callable[[Store], None], second: Callable[[Store], None]) -> None:
    assert changes(store, lambda: first(store)) == 1
    assert changes(store, lambda: second(store)) == 0
    assert changes(store, lambda: begin(store, delivery="d2")) == 0
    assert uids_of(store) == [UID]


def test_what_a_task_does_leaves_its_list_alone(store: Store) -> None:
    create(store)
    stamp = begin_stamped(store)

    def live() -> None:
        store.write(stamp, body="{}")
        store.heartbeat([stamp])
        store.request_cancel(UID)
        store.finish(UID, TaskState.SUCCESS, delivery="d1")
        create(store, inside=True)
        begin(store, delivery="d3")

    assert changes(store, live) == 0


@pytest.mark.parametrize("marked", [False, True], ids=["plain", "dismissed"])
def test_new_epoch_changes_the_version_and_moves_the_task_up(store: Store, marked: bool) -> None:
    end(store, "a")
    create(store, "b")
    if marked:
        assert store.mark("a", seen=True, dismissed=True)
        assert uids_of(store) == ["b"]
    assert changes(store, lambda: create(store, "a")) == 1
    assert uids_of(store) == ["a", "b"]
    assert changes(store, lambda: create(store, "a")) == 0
    assert changes(store, lambda: begin(store, "a", delivery="d2")) == 0
    record = record_of(store, "a")
    assert (record.seen, record.dismissed) == (False, False)


def test_mark_is_kept_and_announced_once(store: Store) -> None:
    end(store)
    before = record_of(store)
    assert changes(store, lambda: store.mark(UID, seen=True)) == 1
    assert record_of(store) == replace(before, seen=True)
    assert changes(store, lambda: store.mark(UID, seen=True)) == 0
    assert store.mark(UID, seen=True) is False
    assert store.mark(UID, dismissed=True) is True
    assert record_of(store) == replace(before, seen=True, dismissed=True)
    assert (uids_of(store), uids_of(store, None)) == ([], [UID])


def test_mark_of_a_task_that_was_pushed_off_is_announced_once(store: Store, store_url: str, configure: Any) -> None:
    configure(STORE=store_url, LISTED_PER_PERSON=1)
    end(store)
    create(store, "newer")
    assert changes(store, lambda: store.mark(UID, dismissed=True)) == 1
    assert changes(store, lambda: store.mark(UID, dismissed=True)) == 0
    assert uids_of(store) == ["newer"]


@pytest.mark.parametrize("state", ["unknown", "PENDING", "STARTED", "RETRY"])
def test_only_what_has_ended_is_marked(store: Store, state: str) -> None:
    if state != "unknown":
        create(store)
    if state in {"STARTED", "RETRY"}:
        begin(store)
    if state == "RETRY":
        store.finish(UID, TaskState.RETRY, delivery="d1")
    assert changes(store, lambda: store.mark(UID, seen=True, dismissed=True)) == 0
    assert store.mark(UID, dismissed=True) is False
    assert store.read(UID) is None or not record_of(store).dismissed


def test_mark_meant_for_a_former_epoch_is_refused(store: Store) -> None:
    end(store)
    former = record_of(store).epoch
    create(store)
    store.finish(UID, TaskState.FAILURE)
    assert store.mark(UID, dismissed=True, epoch=former) is False
    assert store.mark(UID, dismissed=True, epoch=record_of(store).epoch) is True


def test_mark_of_a_task_without_an_owner_is_kept(store: Store) -> None:
    end(store, owner="")
    assert (store.mark(UID, seen=True), store.mark(UID, seen=True)) == (True, False)
    assert store.list_for(None).records[0].seen


def test_refused_begin_does_not_bring_a_dismissed_task_back(store: Store) -> None:
    end(store)
    store.mark(UID, dismissed=True)
    assert changes(store, lambda: begin(store, delivery="late")) == 0
    assert uids_of(store) == []


def test_begin_with_another_owner_shows_nothing_to_them(store: Store) -> None:
    create(store)
    begin(store, owner=OTHER)
    assert (uids_of(store), uids_of(store, OTHER), uids_of(store, None)) == ([UID], [], [UID])


def test_new_epoch_of_another_owner_leaves_the_first_ones_list(store: Store) -> None:
    end(store)
    create(store, owner=OTHER)
    assert (uids_of(store), uids_of(store, OTHER)) == ([], [UID])
    begin(store, owner=OTHER, delivery="d2")
    store.finish(UID, TaskState.SUCCESS, delivery="d2")
    create(store)
    assert (uids_of(store), uids_of(store, OTHER)) == ([UID], [])


async def test_every_version_is_announced_on_the_owners_channel(store: Store, listen: Any) -> None:
    async with listen(store, list_channel(OWNER), list_channel(OTHER)) as hints:
        end(store)
        store.mark(UID, seen=True)
        create(store, owner=OTHER)
        heard = await hints.get(3)
    [mine, others] = store.list_versions([list_id(OWNER), list_id(OTHER)])
    assert mine
    assert others
    expected = [(OWNER, ListVersion(mine.epoch, 1)), (OWNER, ListVersion(mine.epoch, 2)), (OTHER, others)]
    for (channel, replaceable, frame), (owner, version) in zip(heard, expected, strict=True):
        now = frame["now"]
        assert (channel, replaceable) == (list_channel(owner), True)
        assert list(frame.items()) == list(list_frame(list_channel(owner), version, now).items())
        assert abs(now - store.list_for(owner).now) < 5000


def test_expired_records_leave_the_list(configure: Any) -> None:
    now = [1000.0]
    configure(STORE="memory", RECORD_TTL_S=60)
    store = MemoryStore(clock=lambda: now[0])
    create(store, "a")
    now[0] += 50
    create(store, "b")
    now[0] += 50
    assert (uids_of(store), uids_of(store, None)) == (["b"], ["b"])
    assert changes(store, lambda: create(store, "a")) == 1
    assert uids_of(store) == ["a", "b"]
    now[0] += 181
    assert store.list_for(OWNER).version == ListVersion("", 0)
