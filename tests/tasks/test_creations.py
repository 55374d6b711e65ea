"""Tasks that are sent while the store is away have their records as soon as it is back."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from celery import Celery

from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import TaskState
from channels_progress.store import get_store
from channels_progress.store.memory import MemoryStore
from channels_progress.tasks import broadcast_task, creations, lifecycle
from channels_progress.tasks.creations import CreationQueue, creation_queue
from channels_progress.tasks.reconciler import reconcile_tasks
from tests.tasks.support import FaultyStore
from tests.waiting import wait_until


@broadcast_task(name="creations.do")
def do(reporter: Any) -> None: ...


@pytest.fixture
def store(settings: Any, monkeypatch: pytest.MonkeyPatch) -> FaultyStore:
    """A store that is away, until its ``fault`` is taken from it."""
    monkeypatch.setattr(creations, "RETRY_S", 0.01)
    store = FaultyStore(MemoryStore())
    settings.CHANNELS_PROGRESS = {"STORE": lambda: store}
    store.fault = be_away
    return store


def be_away(name: str) -> None:
    raise StoreUnavailable


def come_back(store: FaultyStore) -> None:
    store.fault = lambda name: None
    wait_until(lambda: not creation_queue)


def test_record_is_made_once_the_store_is_back(queued: Celery, store: FaultyStore) -> None:
    now_ms = int(time.time() * 1000)
    uids = [do.delay().id, do.delay().id]
    come_back(store)
    bodies = [get_store().read(uid).record.body for uid in uids]  # type: ignore[union-attr]
    assert [body["title"] for body in bodies] == ["Do", "Do"]
    assert all(now_ms <= body["sent_at"] < now_ms + 30_000 for body in bodies)


@pytest.mark.parametrize("state", [TaskState.STARTED, TaskState.SUCCESS])
def test_task_that_has_begun_or_ended_meanwhile_stays_as_it_is(
    queued: Celery, store: FaultyStore, state: TaskState
) -> None:
    store.fault = lambda name: be_away(name) if name == "create" else None
    uid = do.delay().id
    get_store().begin(uid, delivery="d1", owner="", body="{}")
    if state is TaskState.SUCCESS:
        get_store().finish(uid, state, delivery="d1")
    before = get_store().read(uid)
    come_back(store)
    after = get_store().read(uid)
    assert before
    assert after
    assert after.record == before.record


def test_late_record_is_no_second_publish(queued: Celery, store: FaultyStore) -> None:
    store.fault = lambda name: be_away(name) if name == "create" else None
    uid = do.delay().id
    get_store().begin(uid, delivery="d1", owner="", body="{}")
    come_back(store)
    get_store().finish(uid, TaskState.IGNORED, delivery="d1")
    assert [version and version.state for version in get_store().versions([uid])] == [TaskState.IGNORED]


def test_end_that_was_stored_before_the_record_was_made_is_evidence(queued: Celery, store: FaultyStore) -> None:
    uid = do.delay().id
    queued.backend.store_result(uid, None, "SUCCESS")
    stored_at = time.time()
    # Of which stores count whole milliseconds.
    wait_until(lambda: time.time() > stored_at + 0.005)
    come_back(store)
    assert [(found.uid, found.state) for found in reconcile_tasks(silent_for_s=0)] == [(uid, TaskState.SUCCESS)]


def test_main_process_of_a_worker_starts_no_thread(
    queued: Celery, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "_timer_entry", object())
    uid = do.delay().id
    assert creation_queue._thread is None
    store.fault = lambda name: None
    lifecycle._send_what_waits()
    assert get_store().read(uid)


def test_thread_ends_when_nothing_waits_any_more(queued: Celery, store: FaultyStore) -> None:
    do.delay()
    assert creation_queue._thread
    come_back(store)
    wait_until(lambda: creation_queue._thread is None)


def test_what_waits_is_bounded_in_number_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    queue, made = CreationQueue(), []
    for number in range(creations.MAX_WAITING + 1):
        queue.keep(str(number), lambda number=number: made.append(number), is_sent_by_timer=True)
    assert len(queue) == creations.MAX_WAITING
    monkeypatch.setattr(creations, "MAX_AGE_S", -1)
    queue.send()
    assert (len(queue), made) == (0, [])


def test_mistake_is_logged_once_and_the_next_one_made(caplog: pytest.LogCaptureFixture) -> None:
    queue, made = CreationQueue(), []
    queue.keep("a", lambda: 1 / 0, is_sent_by_timer=True)  # type: ignore[arg-type, return-value]
    queue.keep("b", lambda: made.append("b"), is_sent_by_timer=True)
    queue.send()
    assert ([record.message for record in caplog.records], made) == (["The record of task a was not made."], ["b"])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_child_of_a_process_that_waits_sends_nothing(queued: Celery, store: FaultyStore) -> None:
    do.delay()
    if (pid := os.fork()) == 0:
        os._exit(len(creation_queue))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    come_back(store)
