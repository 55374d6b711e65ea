"""Cancelling: a running task is told, a waiting one is revoked, whichever comes first."""

from __future__ import annotations

import pytest

from channels_progress.records import Begun, CancelOutcome, TaskRecord, TaskState, Written
from channels_progress.store import Store
from tests.store.support import UID, begin, record_of, snapshot_of


def test_running_task_learns_it_with_its_next_call(store: Store) -> None:
    stamp = begin(store)
    assert store.request_cancel(UID, reason='bö"ring') is CancelOutcome.CANCELLING
    assert store.heartbeat([stamp]) == [Written(True, 2, True, 'bö"ring')]
    assert store.write(stamp, body="{}") == Written(True, 3, True, 'bö"ring')
    assert record_of(store) == TaskRecord(
        uid=UID, epoch=stamp.epoch, attempt=1, seq=3, state=TaskState.PROGRESS, body={}, owner="user:1",
        delivery="d1", cancelling=True, reason="bö\"ring",
    )  # fmt: skip


def test_second_request_changes_nothing(store: Store) -> None:
    begin(store)
    store.request_cancel(UID, reason="first")
    before = snapshot_of(store).record
    assert store.request_cancel(UID, reason="second") is CancelOutcome.CANCELLING
    assert snapshot_of(store).record == before


def test_task_that_waits_to_begin_is_revoked(store: Store) -> None:
    store.create(UID, owner="user:1", body="{}")
    assert store.request_cancel(UID, reason="why") is CancelOutcome.CANCELLED
    record = snapshot_of(store).record
    assert record_of(store) == TaskRecord(
        uid=UID, epoch=record.epoch, attempt=0, seq=2, state=TaskState.REVOKED, body={}, owner="user:1", reason="why"
    )
    assert record.ended_at
    assert store.begin(UID, delivery="d1", owner="", body="{}") == Begun(
        False, record.epoch, 0, TaskState.REVOKED, reason="why"
    )


def test_task_that_waits_for_a_retry_is_revoked(store: Store) -> None:
    begin(store)
    store.finish(UID, TaskState.RETRY, delivery="d1", reason="busy", retry_at=7)
    assert store.request_cancel(UID) is CancelOutcome.CANCELLED
    record = record_of(store)
    assert (record.state, record.reason, record.retry_at, record.cancelling) == (TaskState.REVOKED, "", 0, False)


def test_unknown_and_ended_tasks_are_told_apart(store: Store) -> None:
    assert store.request_cancel(UID) is CancelOutcome.UNKNOWN
    store.finish(UID, TaskState.SUCCESS)
    assert store.request_cancel(UID) is CancelOutcome.ENDED
    assert record_of(store).state is TaskState.SUCCESS


@pytest.mark.parametrize("state", [TaskState.RETRY, TaskState.PENDING])
def test_task_cancelled_before_it_waits_is_revoked_then(store: Store, state: TaskState) -> None:
    begin(store)
    store.request_cancel(UID, reason="why")
    assert store.finish(UID, state, delivery="d1", reason="busy", retry_at=7) == Written(True, 3)
    record = record_of(store)
    assert (record.state, record.reason, record.retry_at, record.cancelling) == (TaskState.REVOKED, "why", 0, False)
    assert snapshot_of(store).record.ended_at


def test_replaced_task_that_was_cancelled_is_revoked(store: Store) -> None:
    begin(store)
    store.create(UID, owner="", body="{}", inside=True)
    store.request_cancel(UID, reason="why")
    store.finish(UID, TaskState.IGNORED, delivery="d1")
    assert (record_of(store).state, record_of(store).reason) == (TaskState.REVOKED, "why")


@pytest.mark.parametrize(("given", "told"), [("", "why"), ("mine", "mine")])
def test_revoked_keeps_the_reason_of_the_request(store: Store, given: str, told: str) -> None:
    begin(store)
    store.request_cancel(UID, reason="why")
    store.finish(UID, TaskState.REVOKED, delivery="d1", reason=given)
    assert (record_of(store).state, record_of(store).reason) == (TaskState.REVOKED, told)


def test_task_that_succeeded_all_the_same_has_succeeded(store: Store) -> None:
    begin(store)
    store.request_cancel(UID, reason="why")
    store.finish(UID, TaskState.SUCCESS, delivery="d1")
    record = record_of(store)
    assert (record.state, record.reason, record.cancelling) == (TaskState.SUCCESS, "", False)


def test_next_attempt_of_a_cancelled_task_is_told(store: Store) -> None:
    stamp = begin(store, "d1")
    store.request_cancel(UID, reason="why")
    assert store.begin(UID, delivery="d2", owner="", body="{}") == Begun(
        True, stamp.epoch, 2, TaskState.STARTED, cancelling=True, reason="why"
    )
