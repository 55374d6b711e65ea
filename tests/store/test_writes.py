"""Writes and heartbeats: accepted from the running attempt, refused from any other."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from channels_progress.records import Stamp, TaskRecord, TaskState, Version, Written
from channels_progress.store import Store
from tests.store.support import UID, begin, record_of, say, snapshot_of
from tests.waiting import wait_until


def test_write_replaces_the_body(store: Store) -> None:
    stamp = begin(store)
    store.write(stamp, body='{"current":1,"message":"x"}')
    assert store.write(stamp, body=' { "current" : 2.5 } ') == Written(True, 3)
    assert record_of(store) == TaskRecord(
        uid=UID, epoch=stamp.epoch, attempt=1, seq=3, state=TaskState.PROGRESS, body={"current": 2.5},
        owner="user:1", delivery="d1",
    )  # fmt: skip


def test_write_of_an_older_attempt_is_refused(store: Store) -> None:
    old = begin(store, "d1")
    begin(store, "d2")
    before = snapshot_of(store).record
    assert store.write(old, body="{}", messages=say("x")) == Written(False, 2)
    assert snapshot_of(store).record == before


def test_write_of_another_epoch_is_refused(store: Store) -> None:
    stamp = begin(store)
    before = snapshot_of(store).record
    assert store.write(replace(stamp, epoch="0" * 16), body="{}") == Written(False, 1)
    assert snapshot_of(store).record == before


@pytest.mark.parametrize(
    "state", [TaskState.SUCCESS, TaskState.FAILURE, TaskState.REVOKED, TaskState.IGNORED, TaskState.RETRY, "PENDING"]
)
def test_write_after_a_finish_is_refused(store: Store, state: TaskState) -> None:
    stamp = begin(store)
    store.finish(UID, state, delivery="d1")
    before = snapshot_of(store).record
    assert store.write(stamp, body='{"current":1}', messages=say("late")) == Written(False, 2)
    assert store.heartbeat([stamp]) == [Written(False, 2)]
    assert snapshot_of(store).record == before


def test_write_without_a_record_says_that_it_is_missing(store: Store) -> None:
    assert store.write(Stamp(UID, "0" * 16, 1), body="{}") == Written(False, missing=True)
    assert store.read(UID) is None


def test_body_of_a_write_must_be_an_object(store: Store) -> None:
    with pytest.raises(ValueError, match="not the JSON text of an object"):
        store.write(begin(store), body="[1]")


def test_heartbeats_answer_in_order_and_change_nothing_else(store: Store) -> None:
    first, second = begin(store, uid="a"), begin(store, uid="b")
    store.request_cancel("b", reason="why")
    old = replace(first, epoch="0" * 16)
    before = [record_of(store, uid) for uid in "ab"]
    assert store.heartbeat([second, Stamp("c", "0" * 16, 1), first, old]) == [
        Written(True, 2, True, "why"),
        Written(False, missing=True),
        Written(True, 1),
        Written(False, 1),
    ]
    assert [record_of(store, uid) for uid in "ab"] == before
    assert store.heartbeat([]) == []


def test_heartbeat_makes_the_record_young_again(store: Store) -> None:
    stamp = begin(store)
    began_at = snapshot_of(store).record.began_at
    wait_until(lambda: snapshot_of(store).now > began_at)
    assert store.heartbeat([stamp])[0].accepted
    assert snapshot_of(store).record.heartbeat_at > began_at


def test_versions_tell_how_new_each_record_is(store: Store) -> None:
    stamp = begin(store, uid="a")
    store.write(stamp, body="{}")
    store.create("b", owner="", body="{}")
    epoch_b = record_of(store, "b").epoch
    wait_until(lambda: store.versions(["a"])[0].heartbeat_age_ms > 5)
    first, missing, second, again = store.versions(["a", "?", "b", "a"])
    assert first.heartbeat_age_ms < 5000
    assert (replace(first, heartbeat_age_ms=0), missing, second) == (
        Version(stamp.epoch, 1, 2, TaskState.PROGRESS, 0),
        None,
        Version(epoch_b, 0, 1, TaskState.PENDING, 0),
    )
    assert again == first
    assert store.versions([]) == []


def test_records_expire_unless_their_attempt_is_alive(store: Store, configure: Any, store_url: str) -> None:
    configure(STORE=store_url, RECORD_TTL_S=0.8)
    beating, writing = begin(store, uid="beating"), begin(store, uid="writing")
    for stamp in (beating, writing):
        store.write(stamp, body="{}", messages=say("x"))
    for uid in ("waits", "ended", "silent"):
        begin(store, uid=uid)
    store.finish("waits", TaskState.RETRY, delivery="d1")
    store.finish("ended", TaskState.SUCCESS, delivery="d1")

    def only_the_living_are_left() -> bool:
        assert store.heartbeat([beating])[0].accepted
        assert store.write(writing, body="{}").accepted
        return store.versions(["waits", "ended", "silent"]) == [None, None, None]

    wait_until(only_the_living_are_left)
    assert [message.text for uid in ("beating", "writing") for message in snapshot_of(store, uid).messages] == ["x"] * 2


def test_concurrent_writes_are_all_counted(store: Store) -> None:
    stamp = begin(store)

    def write_some() -> None:
        for _ in range(25):
            assert store.write(stamp, body="{}", messages=say("x")).accepted

    threads = [threading.Thread(target=write_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    snapshot = snapshot_of(store)
    assert snapshot.record.seq == 101
    assert [message.offset for message in snapshot.messages] == list(range(1, 101))
