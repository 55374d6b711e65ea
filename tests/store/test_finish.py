"""The end of an attempt: what latches, what waits, and whose finish counts."""

from __future__ import annotations

from typing import Any

import pytest

from channels_progress.records import ENDED_STATES, CancelOutcome, TaskRecord, TaskState, Written
from channels_progress.store import Store
from tests.store.support import UID, begin, record_of, snapshot_of
from tests.waiting import wait_until

FINISHES = [*sorted(ENDED_STATES), TaskState.RETRY, TaskState.PENDING]


@pytest.mark.parametrize("state", FINISHES)
def test_finish_of_the_running_delivery(store: Store, state: TaskState) -> None:
    stamp = begin(store)
    store.write(stamp, body='{"current":1}')
    assert store.finish(UID, state, delivery="d1", reason="wh\u00ff", retry_at=7) == Written(True, 3)
    assert record_of(store) == TaskRecord(
        uid=UID, epoch=stamp.epoch, attempt=1, seq=3, state=state, body={"current": 1}, owner="user:1",
        delivery="d1", reason="wh\u00ff", retry_at=7 if state == "RETRY" else 0,
    )  # fmt: skip
    assert bool(snapshot_of(store).record.ended_at) == (state in ENDED_STATES)


def test_finish_may_bring_a_last_body(store: Store) -> None:
    begin(store)
    store.finish(UID, TaskState.SUCCESS, delivery="d1", body='{"current":2}')
    assert record_of(store).body == {"current": 2}


@pytest.mark.parametrize("first", sorted(ENDED_STATES))
def test_true_ending_is_latched(store: Store, first: TaskState) -> None:
    begin(store)
    store.finish(UID, first, delivery="d1", reason="first")
    before = snapshot_of(store).record
    for state in FINISHES:
        for delivery in ("d1", "d2", ""):
            assert store.finish(UID, state, delivery=delivery, body="{}", reason="late") == Written(False, 2)
    assert store.request_cancel(UID) is CancelOutcome.ENDED
    assert snapshot_of(store).record == before


@pytest.mark.parametrize("state", FINISHES)
def test_only_the_running_delivery_finishes(store: Store, state: TaskState) -> None:
    begin(store, "d1")
    begin(store, "d2")
    before = snapshot_of(store).record
    for delivery in ("d1", "unknown"):
        assert store.finish(UID, state, delivery=delivery) == Written(False, 2)
    assert snapshot_of(store).record == before


def test_finish_without_a_delivery_counts_for_whatever_runs(store: Store) -> None:
    begin(store)
    assert store.finish(UID, TaskState.FAILURE, reason="lost") == Written(True, 2)
    assert record_of(store).state is TaskState.FAILURE


@pytest.mark.parametrize("waiting", [TaskState.RETRY, TaskState.PENDING])
def test_delivery_that_is_over_does_not_finish_again(store: Store, waiting: TaskState) -> None:
    begin(store, "d1")
    begin(store, "d2")
    store.finish(UID, waiting, delivery="d2")
    before = snapshot_of(store).record
    for delivery in ("d1", "d2"):
        assert store.finish(UID, TaskState.IGNORED, delivery=delivery) == Written(False, 3)
    assert snapshot_of(store).record == before


def test_delivery_whose_begin_was_lost_may_end_a_waiting_task(store: Store) -> None:
    stamp = begin(store, "d1")
    store.finish(UID, TaskState.RETRY, delivery="d1")
    assert store.finish(UID, TaskState.SUCCESS, delivery="d2", body='{"current":9}') == Written(True, 3)
    assert record_of(store) == TaskRecord(
        uid=UID, epoch=stamp.epoch, attempt=1, seq=3, state=TaskState.SUCCESS, body={"current": 9}, owner="user:1",
        delivery="d2",
    )  # fmt: skip


@pytest.mark.parametrize("state", sorted(ENDED_STATES))
def test_ending_without_a_record_makes_one(store: Store, state: TaskState) -> None:
    assert store.finish(UID, state, delivery="d1", owner="user:1", reason="why") == Written(True, 1)
    record = snapshot_of(store).record
    assert record_of(store) == TaskRecord(
        uid=UID, epoch=record.epoch, attempt=0, seq=1, state=state, body={}, owner="user:1", delivery="d1",
        reason="why",
    )  # fmt: skip
    assert 0 < record.created_at <= record.ended_at
    assert not store.begin(UID, delivery="d1", owner="", body="{}").accepted


@pytest.mark.parametrize("state", [TaskState.RETRY, TaskState.PENDING])
def test_wait_without_a_record_makes_none(store: Store, state: TaskState) -> None:
    assert store.finish(UID, state, delivery="d1") == Written(False, missing=True)
    assert store.read(UID) is None


@pytest.mark.parametrize("state", ["STARTED", "PROGRESS", "DONE", ""])
def test_finish_in_another_state_is_a_slip(store: Store, state: str) -> None:
    with pytest.raises(ValueError, match="cannot finish"):
        store.finish(UID, state)


def test_replacement_published_before_ignored_is_waited_for(store: Store) -> None:
    begin(store, "d1")
    store.create(UID, owner="user:1", body="{}", inside=True)
    assert store.finish(UID, TaskState.IGNORED, delivery="d1").accepted
    assert record_of(store).state is TaskState.PENDING
    begin(store, "d2")
    assert store.finish(UID, TaskState.IGNORED, delivery="d2").accepted
    assert record_of(store).state is TaskState.IGNORED


@pytest.mark.parametrize("replacement_ended", [False, True])
def test_replacement_that_overtook_ignored_stays(store: Store, replacement_ended: bool) -> None:
    begin(store, "d1")
    store.create(UID, owner="user:1", body="{}", inside=True)
    begin(store, "d2")
    if replacement_ended:
        store.finish(UID, TaskState.SUCCESS, delivery="d2")
    before = snapshot_of(store).record
    assert not store.finish(UID, TaskState.IGNORED, delivery="d1").accepted
    assert snapshot_of(store).record == before


def test_publish_before_the_begin_does_not_keep_ignored_open(store: Store) -> None:
    store.create(UID, owner="", body="{}")
    store.create(UID, owner="", body="{}")
    begin(store)
    store.finish(UID, TaskState.IGNORED, delivery="d1")
    assert record_of(store).state is TaskState.IGNORED


@pytest.mark.parametrize("state", FINISHES)
def test_lost_record_of_a_delivery_that_began_is_not_made_by_its_end(store: Store, state: TaskState) -> None:
    assert store.finish(UID, state, delivery="d1", begun=True) == Written(False, missing=True)
    assert store.read(UID) is None


def test_end_of_a_delivery_that_began_counts_as_ever(store: Store) -> None:
    begin(store)
    assert store.finish(UID, TaskState.SUCCESS, delivery="d1", begun=True) == Written(True, 2)


def test_retry_that_is_due_after_the_ttl_is_waited_for(store: Store, configure: Any) -> None:
    begin(store)
    now = snapshot_of(store).now
    configure(RECORD_TTL_S=0.5)
    store.finish(UID, TaskState.RETRY, delivery="d1", retry_at=now + 600_000)
    # A retry publishes inside the task, too.
    store.create(UID, owner="user:1", body="{}", inside=True)
    begin(store, uid="other")
    wait_until(lambda: store.read("other") is None)
    assert record_of(store).state is TaskState.RETRY
