"""Tasks that nobody hears from, and what has expired."""

from __future__ import annotations

from typing import Any

import pytest

from channels_progress.records import ENDED_STATES, SilentTask, TaskState
from channels_progress.store import Store
from channels_progress.store.memory import MemoryStore
from tests.store.support import begin, record_of, snapshot_of
from tests.waiting import wait_until

WAITING = (TaskState.PENDING, TaskState.RETRY)


def find(store: Store, **options: Any) -> list[str]:
    return [task.uid for task in store.find_silent(**{"older_than_s": 0, **options})]


def test_silent_task_is_described(store: Store) -> None:
    begun = store.begin("a", delivery="d1", owner="user:1", body="{}", name="cities.ü", worker="celery@ü")
    wait_until(lambda: store.find_silent(older_than_s=0.05))
    [task] = store.find_silent(older_than_s=0.05)
    assert 50 <= task.silent_ms < 30_000
    record = snapshot_of(store, "a").record
    assert task == SilentTask(
        uid="a", epoch=begun.epoch, attempt=1, state=TaskState.STARTED, delivery="d1", silent_ms=task.silent_ms,
        created_at=record.created_at, began_at=record.began_at, name="cities.ü", worker="celery@ü",
    )  # fmt: skip


def test_only_tasks_that_run_are_found_unless_others_are_asked_for(store: Store) -> None:
    store.create("pending", owner="", body="{}")
    for uid in ("runs", "retries", "ended"):
        begin(store, uid=uid)
    store.finish("retries", TaskState.RETRY, delivery="d1")
    store.finish("ended", TaskState.SUCCESS, delivery="d1")
    assert find(store) == ["runs"]
    assert sorted(find(store, states=WAITING)) == ["pending", "retries"]
    assert find(store, states=ENDED_STATES) == []


def test_heartbeat_ends_the_silence(store: Store) -> None:
    stamp = begin(store, uid="a")
    begin(store, uid="b")
    wait_until(lambda: record_age(store, "a") > 20)
    store.heartbeat([stamp])
    assert find(store) == ["b", "a"]
    assert find(store, limit=1) == ["b"]
    assert find(store, older_than_s=30) == []


def record_age(store: Store, uid: str) -> int:
    snapshot = snapshot_of(store, uid)
    return snapshot.now - snapshot.record.heartbeat_at


def test_task_is_not_silent_before_its_next_attempt_is_due(store: Store) -> None:
    begin(store, uid="a")
    now = snapshot_of(store, "a").now
    store.finish("a", TaskState.RETRY, delivery="d1", retry_at=now + 60_000)
    assert find(store, states=WAITING) == []


def test_ending_named_for_the_silent_delivery_gives_way_to_a_newer_one(store: Store) -> None:
    begin(store, "d1", uid="a")
    [task] = store.find_silent(older_than_s=0)
    begin(store, "d2", uid="a")
    assert not store.finish("a", TaskState.FAILURE, delivery=task.delivery).accepted
    assert record_of(store, "a").state is TaskState.STARTED


def test_purge_leaves_what_has_not_expired(store: Store) -> None:
    begin(store, uid="a")
    # A database may hold what other tests have left.
    wait_until(lambda: store.purge() == 0)
    assert find(store) == ["a"]


def test_purge_removes_what_has_expired(configure: Any) -> None:
    now = [1000.0]
    configure(STORE="memory", RECORD_TTL_S=60)
    store = MemoryStore(clock=lambda: now[0])
    begin(store, uid="young")
    now[0] -= 59
    for uid in "abc":
        begin(store, uid=uid)
    now[0] += 60
    assert [store.purge(limit=2), store.purge(limit=2), store.purge()] == [2, 1, 0]
    assert find(store) == ["young"]


@pytest.mark.parametrize("limit", [0, 1])
def test_no_more_are_found_than_asked_for(store: Store, limit: int) -> None:
    begin(store, uid="a")
    begin(store, uid="b")
    assert len(find(store, limit=limit)) == limit
