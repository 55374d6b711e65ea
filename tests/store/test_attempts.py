"""Create and begin: which deliveries open an attempt, and when a uid gets a new epoch."""

from __future__ import annotations

from typing import Any

import pytest

from channels_progress.records import Begun, TaskRecord, TaskState
from channels_progress.store import Store
from tests.store.support import UID, begin, record_of, say, snapshot_of, stamp_of, texts_of


def test_created_record_waits(store: Store) -> None:
    store.create(UID, owner="user:1", body='{"title": "Ünï \\"x\\""}', parent="p\n1")
    record = record_of(store)
    assert record == TaskRecord(
        uid=UID, epoch=record.epoch, attempt=0, seq=1, state=TaskState.PENDING, body={"title": 'Ünï "x"'},
        owner="user:1", parent="p\n1",
    )  # fmt: skip
    assert len(record.epoch) == 16


def test_unknown_uid_has_no_record(store: Store) -> None:
    assert (store.read(UID), store.versions([UID])) == (None, [None])


def test_begin_opens_the_first_attempt(store: Store) -> None:
    store.create(UID, owner="user:1", body='{"title":"x"}')
    created = record_of(store)
    begun = store.begin(UID, delivery="d1", owner="user:2", body='{"current":0}', parent="p")
    assert begun == Begun(True, created.epoch, 1, TaskState.STARTED)
    assert record_of(store) == TaskRecord(
        uid=UID, epoch=created.epoch, attempt=1, seq=2, state=TaskState.STARTED, body={"current": 0},
        owner="user:1", delivery="d1",
    )  # fmt: skip


def test_begin_without_a_record_makes_one(store: Store) -> None:
    begun = store.begin(UID, delivery="d1", owner="session:n", body="{}", parent="p")
    assert record_of(store) == TaskRecord(
        uid=UID, epoch=begun.epoch, attempt=1, seq=1, state=TaskState.STARTED, body={}, owner="session:n",
        delivery="d1", parent="p",
    )  # fmt: skip


def test_times_are_those_of_the_store(store: Store) -> None:
    store.create(UID, owner="", body="{}")
    created = snapshot_of(store)
    begin(store)
    begun = snapshot_of(store)
    assert 0 < created.record.created_at <= created.now <= begun.record.began_at <= begun.now
    assert begun.record.heartbeat_at == begun.record.began_at
    assert (created.record.began_at, created.record.heartbeat_at, begun.record.ended_at) == (0, 0, 0)


def test_same_delivery_begins_once(store: Store) -> None:
    first = store.begin(UID, delivery="d1", owner="", body="{}")
    before = snapshot_of(store).record
    assert store.begin(UID, delivery="d1", owner="", body='{"current":9}') == first
    assert snapshot_of(store).record == before


def test_unnamed_delivery_is_always_a_new_one(store: Store) -> None:
    assert [begin(store, "").attempt for _ in range(3)] == [1, 2, 3]


def test_other_delivery_opens_the_next_attempt(store: Store) -> None:
    old = begin(store, "d1")
    store.write(old, body='{"current":5}')
    new = begin(store, "d2")
    assert (old.epoch, old.attempt + 1) == (new.epoch, new.attempt)
    assert record_of(store) == TaskRecord(
        uid=UID, epoch=new.epoch, attempt=2, seq=3, state=TaskState.STARTED, body={}, owner="user:1", delivery="d2"
    )


def test_late_begin_of_a_former_delivery_changes_nothing(store: Store) -> None:
    old = begin(store, "d1")
    begin(store, "d2")
    before = snapshot_of(store).record
    assert stamp_of(store.begin(UID, delivery="d1", owner="", body="{}")) == old
    assert snapshot_of(store).record == before


@pytest.mark.parametrize("state", [TaskState.RETRY, TaskState.PENDING])
def test_late_begin_of_a_finished_delivery_does_not_wake_it(store: Store, state: TaskState) -> None:
    stamp = begin(store, "d1")
    store.finish(UID, state, delivery="d1")
    assert store.begin(UID, delivery="d1", owner="", body="{}") == Begun(True, stamp.epoch, 1, state)
    assert record_of(store).state == state


def test_late_begin_after_its_own_finish_does_not_wake_it(store: Store) -> None:
    store.create(UID, owner="", body="{}")
    store.finish(UID, TaskState.RETRY, delivery="d1", reason="busy")
    before = snapshot_of(store).record
    assert store.begin(UID, delivery="d1", owner="", body="{}").attempt == 0
    assert snapshot_of(store).record == before


def test_the_last_eight_deliveries_are_remembered(store: Store) -> None:
    for number in range(1, 10):
        begin(store, f"d {number}\n")
    assert begin(store, "d 2\n").attempt == 2
    assert begin(store, "d 1\n").attempt == 10


@pytest.mark.parametrize("state", [TaskState.SUCCESS, TaskState.FAILURE, TaskState.REVOKED, TaskState.IGNORED])
def test_begin_of_a_latched_record_is_refused(store: Store, state: TaskState) -> None:
    stamp = begin(store, "d1")
    store.finish(UID, state, delivery="d1", reason="why")
    before = snapshot_of(store).record
    for delivery in ("d1", "d2"):
        answer = store.begin(UID, delivery=delivery, owner="", body="{}")
        assert answer == Begun(False, stamp.epoch, 1, state, reason="why")
    assert snapshot_of(store).record == before


def test_reason_of_a_retry_goes_with_the_next_begin(store: Store) -> None:
    begin(store, "d1")
    store.finish(UID, TaskState.RETRY, delivery="d1", reason="busy", retry_at=1_900_000_000_123)
    waiting = record_of(store)
    begin(store, "d2")
    assert (waiting.reason, waiting.retry_at) == ("busy", 1_900_000_000_123)
    assert (record_of(store).reason, record_of(store).retry_at) == ("", 0)


@pytest.mark.parametrize("inside", [False, True])
def test_publish_of_an_unfinished_uid_keeps_its_record(store: Store, inside: bool) -> None:
    begin(store)
    before = snapshot_of(store).record
    store.create(UID, owner="user:2", body='{"title":"other"}', parent="p", inside=inside)
    assert snapshot_of(store).record == before


def test_publish_from_inside_keeps_a_latched_record(store: Store) -> None:
    begin(store)
    store.finish(UID, TaskState.SUCCESS, delivery="d1")
    before = snapshot_of(store).record
    store.create(UID, owner="user:1", body="{}", inside=True)
    assert snapshot_of(store).record == before


def test_publish_of_a_latched_uid_opens_a_new_epoch(store: Store) -> None:
    old = begin(store)
    store.write(old, body="{}", messages=say("a"))
    store.finish(UID, TaskState.FAILURE, delivery="d1", reason="why")
    store.create(UID, owner="user:2", body='{"title":"again"}', parent="p")
    record = record_of(store)
    assert record == TaskRecord(
        uid=UID, epoch=record.epoch, attempt=0, seq=1, state=TaskState.PENDING, body={"title": "again"},
        owner="user:2", parent="p",
    )  # fmt: skip
    assert record.epoch != old.epoch
    assert snapshot_of(store).record.ended_at == 0
    assert texts_of(store) == ([], True)


def test_delivery_of_a_former_epoch_touches_nothing(store: Store) -> None:
    old = begin(store, "d1")
    store.finish(UID, TaskState.SUCCESS, delivery="d1")
    store.create(UID, owner="user:1", body="{}")
    before = snapshot_of(store).record
    assert stamp_of(store.begin(UID, delivery="d1", owner="", body="{}")) == old
    assert not store.write(old, body="{}").accepted
    assert not store.finish(UID, TaskState.FAILURE, delivery="d1").accepted
    assert snapshot_of(store).record == before


@pytest.mark.parametrize("body", ["[]", '"x"', "1", "null", "", "x"])
def test_body_that_is_no_object_is_a_slip(store: Store, body: str) -> None:
    with pytest.raises(ValueError, match="not the JSON text of an object"):
        store.create(UID, owner="", body=body)


def test_uids_of_every_kind_stay_apart(store: Store) -> None:
    uids = ["a", "A", "a ", "a\n", "a{b}", "{a}", "é", "e\u0301", "x" * 300, "x" * 301, "~", "", "a:task", "\0"]
    for number, uid in enumerate(uids):
        store.create(uid, owner=f"user:{number}", body="{}")
    assert [(record_of(store, uid).uid, record_of(store, uid).owner) for uid in uids] == [
        (uid, f"user:{number}") for number, uid in enumerate(uids)
    ]


def test_namespaces_do_not_meet(store: Store, configure: Any) -> None:
    store.create(UID, owner="user:1", body="{}")
    configure(NAMESPACE=lambda: "tenant {2}: ü")
    assert store.read(UID) is None
