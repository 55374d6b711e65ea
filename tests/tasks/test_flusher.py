"""The flusher against a memory store, with faults where a real one cannot produce them on demand."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from channels_progress.conf import get_namespace, get_settings
from channels_progress.exceptions import StoreUnavailable, TaskCancelled
from channels_progress.records import Begun, CancelOutcome, TaskState, Written
from channels_progress.store.memory import MemoryStore
from channels_progress.tasks import attempt as attempt_module
from channels_progress.tasks import flusher as flusher_module
from channels_progress.tasks.flusher import Flusher
from tests.tasks.support import UID, FaultyStore, make_reporter, snapshot_of, texts_of
from tests.waiting import wait_until


@pytest.fixture
def store(settings: Settings) -> FaultyStore:
    settings.CHANNELS_PROGRESS = {"REPORT_INTERVAL_S": 0.02, "HEARTBEAT_S": 0.05, "MESSAGES_KEPT": 5}
    return FaultyStore(MemoryStore())


@pytest.fixture
def flusher(store: FaultyStore) -> Iterator[Flusher]:
    flusher = Flusher(lambda: store)
    yield flusher
    store.fault = store.fault_after = lambda name: None
    assert flusher.drain(5)


def make_slow(monkeypatch: pytest.MonkeyPatch, interval_s: float = 60) -> None:
    """Nothing is sent by time any more, only at once or at the end."""
    slow = replace(get_settings(), REPORT_INTERVAL_S=interval_s, HEARTBEAT_S=interval_s)
    monkeypatch.setattr(flusher_module, "get_settings", lambda: slow)


def test_start_begins_and_returns_the_answer(flusher: Flusher, store: FaultyStore) -> None:
    begun = flusher.start(make_reporter(title="Import", parent="p"))
    record = snapshot_of(store).record
    assert begun == Begun(True, record.epoch, 1, TaskState.STARTED)
    assert (record.owner, record.parent, record.delivery, record.body) == ("user:1", "p", "d1", {"title": "Import"})


def test_a_bar_that_moved_is_sent_without_being_asked(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter()
    flusher.start(reporter)
    reporter.progress(1, 4)
    wait_until(lambda: snapshot_of(store).record.body.get("current") == 1)
    reporter.progress(3, 4)
    wait_until(lambda: snapshot_of(store).record.body.get("current") == 3)
    assert snapshot_of(store).record.state is TaskState.PROGRESS


def test_nothing_is_written_while_nothing_changes(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter()
    flusher.start(reporter)
    reporter.progress(1, 4)
    wait_until(lambda: store.calls.count("heartbeat") >= 3)
    assert store.calls.count("write") == 1


def test_many_moves_make_few_writes(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter()
    flusher.start(reporter)
    for i in range(100_000):
        reporter.progress(i, 100_000)
    flusher.finish(reporter, TaskState.SUCCESS)
    assert store.calls.count("write") < 50
    assert snapshot_of(store).record.body["current"] == 99_999


@pytest.mark.parametrize("urgent", ["message", "stage", "flush"])
def test_what_is_urgent_does_not_wait(
    flusher: Flusher, store: FaultyStore, monkeypatch: pytest.MonkeyPatch, urgent: str
) -> None:
    make_slow(monkeypatch)
    reporter = make_reporter()
    flusher.start(reporter)
    reporter.progress(1, 4)
    if urgent == "message":
        reporter.message("hello")
        wait_until(lambda: texts_of(store) == ["hello"])
    elif urgent == "stage":
        with reporter.stage("Read"):
            wait_until(lambda: "stage" in snapshot_of(store).record.body)
    else:
        reporter.flush()
        assert snapshot_of(store).record.body == {"current": 1, "total": 4, "fraction": 0.25} | times(store)


def times(store: FaultyStore) -> dict[str, Any]:
    body = snapshot_of(store).record.body
    return {name: body[name] for name in ("rate", "eta_s") if name in body}


def test_finish_sends_the_last_values_and_messages(
    flusher: Flusher, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_slow(monkeypatch)
    reporter = make_reporter()
    flusher.start(reporter)
    reporter.progress(7, 7, "Done")
    reporter.message("last words")
    written = flusher.finish(reporter, TaskState.FAILURE, reason="No")
    record = snapshot_of(store).record
    assert written
    assert written.accepted
    assert (record.state, record.reason, texts_of(store)) == (TaskState.FAILURE, "No", ["last words"])
    assert record.body == {"message": "Done", "current": 7, "total": 7, "fraction": 1.0} | times(store)


def test_finish_for_a_retry_names_its_time(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter()
    flusher.start(reporter)
    flusher.finish(reporter, TaskState.RETRY, retry_at=123)
    assert snapshot_of(store).record.retry_at == 123


def test_a_finish_that_is_refused_is_dropped(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter()
    flusher.start(reporter)
    store.finish(UID, TaskState.REVOKED, reason="Stop")
    written = flusher.finish(reporter, TaskState.SUCCESS)
    assert written
    assert not written.accepted
    assert flusher.drain(1)
    assert snapshot_of(store).record.state is TaskState.REVOKED


def test_a_finish_without_a_start_is_begun_first(flusher: Flusher, store: FaultyStore) -> None:
    flusher.finish(make_reporter(), TaskState.SUCCESS)
    record = snapshot_of(store).record
    assert (record.attempt, record.state, record.owner) == (1, TaskState.SUCCESS, "user:1")


def test_a_reporter_that_has_begun_elsewhere_goes_on_from_there(flusher: Flusher, store: FaultyStore) -> None:
    begun = store.begin(UID, delivery="d1", owner="user:1", body="{}")
    reporter = make_reporter(begun=begun)
    assert flusher.start(reporter) == begun
    reporter.message("hello")
    wait_until(lambda: texts_of(store) == ["hello"])
    assert store.calls.count("begin") == 1


def test_after_the_end_nothing_more_is_sent(flusher: Flusher, store: FaultyStore) -> None:
    reporter, other = make_reporter(), make_reporter(uid="other")
    flusher.start(other)
    flusher.start(reporter)
    flusher.finish(reporter, TaskState.RETRY)
    reporter.progress(1, 2)
    reporter.message("late")
    reporter.flush()
    beats = store.calls.count("heartbeat")
    wait_until(lambda: store.calls.count("heartbeat") > beats + 1)
    assert (texts_of(store), snapshot_of(store).record.body) == ([], {})


# Cancel.


def test_a_cancel_comes_with_a_heartbeat(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter()
    flusher.start(reporter)
    assert store.request_cancel(UID, reason="Wrong file") is CancelOutcome.CANCELLING
    wait_until(lambda: reporter._cancelling)
    with pytest.raises(TaskCancelled, match="Wrong file"):
        reporter.advance()


def test_a_cancel_comes_with_a_write(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter()
    flusher.start(reporter)
    store.request_cancel(UID, reason="Wrong file")
    with store.away("heartbeat"):
        reporter.message("hello")
        wait_until(lambda: reporter._cancelling)
    with pytest.raises(TaskCancelled, match="Wrong file"):
        reporter.advance()


def test_a_task_cancelled_while_it_waited_is_told_at_once(flusher: Flusher, store: FaultyStore) -> None:
    store.create(UID, owner="user:1", body="{}")
    store.request_cancel(UID, reason="Changed my mind")
    reporter = make_reporter()
    begun = flusher.start(reporter)
    assert begun
    assert not begun.accepted
    with pytest.raises(TaskCancelled, match="Changed my mind"):
        reporter.progress(1, 2)


def test_a_redelivery_of_a_task_being_cancelled_is_told_at_once(flusher: Flusher, store: FaultyStore) -> None:
    store.begin(UID, delivery="d0", owner="user:1", body="{}")
    store.request_cancel(UID, reason="Stop")
    reporter = make_reporter()
    flusher.start(reporter)
    with pytest.raises(TaskCancelled, match="Stop"):
        reporter.progress(1, 2)


def test_a_task_that_ended_already_stays_silent(flusher: Flusher, store: FaultyStore) -> None:
    store.begin(UID, delivery="d0", owner="user:1", body="{}")
    store.finish(UID, TaskState.SUCCESS, delivery="d0")
    reporter = make_reporter()
    flusher.start(reporter)
    reporter.progress(1, 2)
    reporter.message("hello")
    reporter.flush()
    assert (store.calls.count("write"), snapshot_of(store).record.state) == (0, TaskState.SUCCESS)


def test_an_attempt_that_was_superseded_falls_silent(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter()
    flusher.start(reporter)
    store.begin(UID, delivery="d2", owner="user:1", body='{"title": "second"}')
    for text in ("one", "two"):
        reporter.message(text)
        reporter.flush()
    flusher.finish(reporter, TaskState.SUCCESS)
    record = snapshot_of(store).record
    assert (store.calls.count("write"), record.state, record.body) == (1, TaskState.STARTED, {"title": "second"})


# The store is away, slow, or forgot.


def test_a_task_does_not_wait_for_a_store_known_to_be_away(
    flusher: Flusher, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_module, "PATIENCE_S", 60)
    store.available = False
    gate = threading.Event()

    def wait(name: str) -> None:
        gate.wait(5)

    store.fault = wait
    reporter = make_reporter()
    try:
        assert flusher.start(reporter) is None
        reporter.flush()
        assert flusher.finish(reporter, TaskState.SUCCESS) is None
    finally:
        gate.set()


def test_a_task_waits_only_a_little_for_a_slow_store(
    flusher: Flusher, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_module, "PATIENCE_S", 0.01)
    gate = threading.Event()

    def wait(name: str) -> None:
        gate.wait(5)

    store.fault = wait
    reporter = make_reporter()
    try:
        assert flusher.start(reporter) is None
        monkeypatch.setattr(attempt_module, "PATIENCE_S", 60)  # not again
        reporter.message("hello")
        reporter.flush()
        assert flusher.finish(reporter, TaskState.SUCCESS) is None
    finally:
        gate.set()
    wait_until(lambda: texts_of(store) == ["hello"])
    assert snapshot_of(store).record.state is TaskState.SUCCESS


def test_a_begin_is_tried_until_it_is_answered(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter()
    with store.away():
        assert flusher.start(reporter) is None
        reporter.progress(2, 4)
        reporter.message("hello")
        wait_until(lambda: store.calls.count("begin") >= 3)
    wait_until(lambda: texts_of(store) == ["hello"])
    record = snapshot_of(store).record
    assert (record.attempt, record.body["current"]) == (1, 2)


def test_a_task_that_reported_before_its_late_begin_is_more_than_started(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter()
    with store.away():
        flusher.start(reporter)
        reporter.progress(2, 4)
    wait_until(lambda: store.read(UID) and snapshot_of(store).record.state is TaskState.PROGRESS)
    assert (snapshot_of(store).record.body["current"], store.calls.count("write")) == (2, 1)


def test_a_write_that_failed_is_sent_again(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter()
    flusher.start(reporter)
    with store.away("write"):
        reporter.progress(2, 4)
        reporter.message("hello")
        wait_until(lambda: store.calls.count("write") >= 3)
    wait_until(lambda: texts_of(store) == ["hello"])
    assert snapshot_of(store).record.body["current"] == 2


def test_a_bar_whose_write_failed_is_sent_again(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter()
    flusher.start(reporter)
    with store.away("write"):
        reporter.progress(2, 4)
        wait_until(lambda: "write" in store.calls)
    wait_until(lambda: snapshot_of(store).record.body.get("current") == 2)


def test_a_write_whose_answer_got_lost_does_not_double_messages(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter()
    flusher.start(reporter)

    def lose_first_answer(name: str) -> None:
        if name == "write" and store.calls.count("write") == 1:
            raise StoreUnavailable("answer lost")

    store.fault_after = lose_first_answer
    reporter.message("one")
    wait_until(lambda: store.calls.count("write") >= 2)
    reporter.message("two")
    wait_until(lambda: texts_of(store) == ["one", "two"])


def test_messages_beyond_the_bound_are_told_as_a_gap(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter()
    flusher.start(reporter)
    with store.away():
        for number in range(1, 9):
            reporter.message(f"m{number}")
    wait_until(lambda: texts_of(store) == ["m4", "m5", "m6", "m7", "m8"])
    snapshot = snapshot_of(store)
    assert ([message.offset for message in snapshot.messages], snapshot.recovered) == ([4, 5, 6, 7, 8], False)


def test_an_end_the_store_did_not_take_is_kept(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter()
    flusher.start(reporter)
    with store.away():
        reporter.message("last words")
        assert flusher.finish(reporter, TaskState.FAILURE, reason="No") is None
        assert not flusher.drain(0.05)
    assert flusher.drain(5)
    record = snapshot_of(store).record
    assert (record.state, record.reason, texts_of(store)) == (TaskState.FAILURE, "No", ["last words"])


def test_an_end_whose_begin_never_arrived_supersedes_a_dead_worker(flusher: Flusher, store: FaultyStore) -> None:
    store.begin(UID, delivery="dead", owner="user:1", body="{}")
    reporter = make_reporter("d2")
    with store.away():
        flusher.start(reporter)
        flusher.finish(reporter, TaskState.SUCCESS)
    assert flusher.drain(5)
    record = snapshot_of(store).record
    assert (record.state, record.attempt, record.delivery) == (TaskState.SUCCESS, 2, "d2")


def test_a_late_retry_whose_begin_never_arrived_leaves_the_next_delivery_alone(
    flusher: Flusher, store: FaultyStore
) -> None:
    reporter = make_reporter("d1")
    with store.away():
        flusher.start(reporter)
        flusher.finish(reporter, TaskState.RETRY)
        store._store.begin(UID, delivery="d2", owner="user:1", body="{}")
    assert flusher.drain(5)
    record = snapshot_of(store).record
    assert (record.state, record.attempt, record.delivery) == (TaskState.STARTED, 1, "d2")


def test_endings_kept_are_bounded_and_the_oldest_go(
    flusher: Flusher, store: FaultyStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(flusher_module, "ENDINGS_KEPT", 3)
    flusher._start_afresh()
    with store.away():
        for number in range(5):
            flusher.finish(make_reporter(uid=f"u{number}"), TaskState.SUCCESS)
    assert flusher.drain(5)
    assert [store.read(f"u{number}") is None for number in range(5)] == [True, True, False, False, False]
    wait_until(lambda: "tasks were dropped" in caplog.text)
    assert [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()] == [
        "The end of task u0 is dropped: too many wait for the store",
        "The ends of 2 tasks were dropped while the store was away",
    ]


def test_many_endings_wait_without_their_messages(
    flusher: Flusher, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flusher_module, "ENDINGS_WITH_MESSAGES", 1)
    with store.away():
        for uid in ("u1", "u2"):
            reporter = make_reporter(uid=uid)
            reporter.message("hello")
            flusher.finish(reporter, TaskState.SUCCESS)
    assert flusher.drain(5)
    assert (texts_of(store, "u1"), texts_of(store, "u2")) == (["hello"], [])
    assert not snapshot_of(store, "u2").recovered


def test_one_ending_that_is_refused_does_not_hold_up_the_others(flusher: Flusher, store: FaultyStore) -> None:
    with store.away():
        for uid in ("spoilt", "fine"):
            flusher.finish(make_reporter(uid=uid), TaskState.SUCCESS)
    original = store._store.begin

    def begin(uid: str, **options: Any) -> Begun:
        if uid == "spoilt":
            raise StoreUnavailable("something else lives there")
        return original(uid, **options)

    store._store.begin = begin  # type: ignore[method-assign]
    wait_until(lambda: store.read("fine"))
    store._store.begin = original  # type: ignore[method-assign]


def test_task_that_outlives_the_lifetime_of_records_begins_again_to_stay_listed(
    flusher: Flusher, store: FaultyStore, settings: Any
) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "RECORD_TTL_S": 1, "HEARTBEAT_S": 0.05}
    reporter = make_reporter()
    flusher.start(reporter)
    reporter.progress(1, 2)
    store._store._lists.clear()  # type: ignore[attr-defined]
    wait_until(lambda: [record.uid for record in store.list_for("user:1").records] == [UID])
    assert (store.calls.count("begin"), snapshot_of(store).record.attempt) == (2, 1)
    flusher.finish(reporter, TaskState.SUCCESS)
    assert snapshot_of(store).record.body["current"] == 1


def test_after_the_record_is_gone_the_attempt_begins_again(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter(title="Import")
    flusher.start(reporter)
    reporter.progress(2, 4)
    reporter.message("before")
    wait_until(lambda: texts_of(store) == ["before"])
    store._store._kept.clear()  # type: ignore[attr-defined]
    record = wait_until(lambda: (snapshot := store.read(UID)) and snapshot.record)
    assert (record.attempt, record.delivery, record.body["title"], record.body["current"]) == (1, "d1", "Import", 2)
    wait_until(lambda: snapshot_of(store).record.state is TaskState.PROGRESS)
    reporter.message("after")
    wait_until(lambda: texts_of(store) == ["after"])
    assert snapshot_of(store).record.state is TaskState.PROGRESS


def test_an_end_after_the_record_is_gone_is_latched_as_that_of_an_attempt(flusher: Flusher, store: FaultyStore) -> None:
    reporter = make_reporter()
    flusher.start(reporter)
    with store.away("heartbeat"):
        store._store._kept.clear()  # type: ignore[attr-defined]
        flusher.finish(reporter, TaskState.SUCCESS)
    record = snapshot_of(store).record
    assert (record.state, record.attempt, record.delivery, record.began_at > 0) == (TaskState.SUCCESS, 1, "d1", True)


# The flusher itself.


def test_one_heartbeat_serves_all_live_attempts(flusher: Flusher, store: FaultyStore) -> None:
    stamps: list[int] = []
    original = store._store.heartbeat

    def heartbeat(given: Any) -> list[Written]:
        stamps.append(len(given))
        return original(given)

    store._store.heartbeat = heartbeat  # type: ignore[method-assign]
    for number in range(4):
        flusher.start(make_reporter(uid=f"u{number}"))
    wait_until(lambda: stamps.count(4) >= 2)
    ages = [version.heartbeat_age_ms for version in store.versions([f"u{number}" for number in range(4)]) if version]
    assert all(age < 1_000 for age in ages)


def test_several_reporters_are_told_apart(flusher: Flusher, store: FaultyStore) -> None:
    reporters = {f"u{number}": make_reporter(uid=f"u{number}") for number in range(8)}

    def work(uid: str) -> None:
        flusher.start(reporters[uid])
        for _ in reporters[uid].track(range(2_000), uid):
            pass
        reporters[uid].message(uid)
        flusher.finish(reporters[uid], TaskState.SUCCESS)

    threads = [threading.Thread(target=work, args=(uid,)) for uid in reporters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert flusher.drain(5)
    for uid in reporters:
        record = snapshot_of(store, uid).record
        assert (record.state, record.body["current"], record.body["message"]) == (TaskState.SUCCESS, 2_000, uid)
        assert texts_of(store, uid) == [uid]


def test_a_mistake_with_one_attempt_is_logged_once_and_the_others_go_on(
    flusher: Flusher, store: FaultyStore, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = make_reporter(uid="broken"), make_reporter(uid="sound")
    flusher.start(broken)
    flusher.start(sound)
    sampled: list[float] = []

    def fail(now: float) -> None:
        sampled.append(now)
        raise RuntimeError("a mistake of ours")

    broken.sample = fail  # type: ignore[method-assign]
    wait_until(lambda: len(sampled) >= 3)
    sound.message("hello")
    wait_until(lambda: texts_of(store, "sound") == ["hello"])
    flusher.finish(broken, TaskState.SUCCESS)
    logged = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert logged == ["Could not report the progress of task broken", "Could not report the end of task broken"]
    assert all(record.exc_info for record in caplog.records)


def test_the_flusher_survives_its_own_mistakes(
    flusher: Flusher, store: FaultyStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reporter = make_reporter()
    flusher.start(reporter)
    with monkeypatch.context() as patch:
        patch.setattr(flusher, "_retry_endings", lambda: 1 / 0)
        reporter.message("hello")
        wait_until(lambda: "stumbled" in caplog.text)
        reporter.message("again")
    reporter.message("and again")
    wait_until(lambda: texts_of(store) == ["hello", "again", "and again"])
    assert caplog.text.count("stumbled") == 1


def test_an_outage_is_not_logged_call_by_call(
    flusher: Flusher, store: FaultyStore, caplog: pytest.LogCaptureFixture
) -> None:
    reporter = make_reporter()
    with store.away():
        flusher.start(reporter)
        reporter.message("hello")
        wait_until(lambda: store.calls.count("begin") > 5)
        flusher.finish(reporter, TaskState.SUCCESS)
    assert caplog.records == []


def test_without_a_store_the_task_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    def refuse() -> Any:
        raise ValueError("no such store")

    flusher, reporter = Flusher(refuse), make_reporter()
    assert flusher.start(reporter) is None
    reporter.progress(1, 2)
    reporter.message("hello")
    reporter.flush()
    assert flusher.finish(reporter, TaskState.SUCCESS) is None
    assert "no such store" in caplog.text


def test_the_thread_starts_with_the_first_reporter_and_is_a_daemon(flusher: Flusher) -> None:
    assert flusher._thread is None
    assert flusher.drain(0)
    assert flusher._thread is None
    flusher.start(make_reporter())
    assert flusher._thread
    assert flusher._thread.daemon


def test_the_namespace_of_the_tasks_thread_is_used(flusher: Flusher, store: FaultyStore, settings: Any) -> None:
    tenant = threading.local()
    tenant.name = "north"
    settings.CHANNELS_PROGRESS |= {"NAMESPACE": lambda: getattr(tenant, "name", "nobody")}
    reporter = make_reporter()
    flusher.start(reporter)
    reporter.message("hello")
    flusher.finish(reporter, TaskState.SUCCESS)
    assert (get_namespace(), texts_of(store)) == ("north", ["hello"])
    tenant.name = "nobody"
    assert store.read(UID) is None


def test_a_bar_waits_for_its_turn_after_something_urgent(
    flusher: Flusher, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_slow(monkeypatch)
    monkeypatch.setattr(flusher, "_start_thread", lambda: None)
    monkeypatch.setattr(attempt_module, "PATIENCE_S", 0)
    reporter = make_reporter()
    flusher.start(reporter)
    reporter.message("hello")
    flusher._turn(now := time.monotonic())
    reporter.progress(1, 2)
    for later_s, writes in [(1, 1), (59, 2)]:
        flusher._next_tick = 0
        flusher._turn(now + later_s)
        assert store.calls.count("write") == writes


def test_threads_that_flush_at_once_are_all_answered(
    flusher: Flusher, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_module, "PATIENCE_S", 60)
    reporter, held, go_on = make_reporter(), threading.Event(), threading.Event()
    flusher.start(reporter)

    def hold(name: str) -> None:
        held.set()
        assert go_on.wait(20)

    store.fault = hold
    reporter.message("held")
    assert held.wait(20)
    threads = [threading.Thread(target=reporter.flush, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(reporter.sender._flushing) == 3)  # type: ignore[union-attr]
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert [thread.is_alive() for thread in threads] == [False] * 3


def test_a_delivery_that_was_left_says_its_last_and_is_alive_no_more(flusher: Flusher, store: FaultyStore) -> None:
    left, other = make_reporter("d1", "left"), make_reporter("d2", "other")
    flusher.start(left)
    flusher.start(other)
    left.message("last")
    flusher.leave(left)
    assert flusher.drain(20)
    record = snapshot_of(store, "left").record
    for _ in range(2):
        beat = snapshot_of(store, "other").record.heartbeat_at
        wait_until(lambda beat=beat: snapshot_of(store, "other").record.heartbeat_at > beat)
    assert (snapshot_of(store, "left").record, texts_of(store, "left")) == (record, ["last"])
    flusher.finish(other, TaskState.SUCCESS)


def test_store_with_dear_writes_is_written_seldom(store: FaultyStore, flusher: Flusher) -> None:
    store.write_interval_s = 60
    reporter = make_reporter()
    flusher.start(reporter)
    reporter.progress(1, 100)
    # A tick's worth of time after another, in which a bar would be written many times.
    for number in range(2, 12):
        reporter.progress(number, 100)
        tick = flusher._next_tick
        wait_until(lambda tick=tick: flusher._next_tick > tick)
    assert store.calls.count("write") <= 1
    flusher.finish(reporter, TaskState.SUCCESS)
    assert snapshot_of(store).record.body["current"] == 11


def test_messages_to_a_store_with_dear_writes_share_a_write(
    store: FaultyStore, flusher: Flusher, settings: Settings
) -> None:
    settings.CHANNELS_PROGRESS = {"REPORT_INTERVAL_S": 60}
    store.write_interval_s = 60
    reporter = make_reporter()
    flusher.start(reporter)
    reporter.message("a")
    wait_until(lambda: texts_of(store) == ["a"])
    for text in ("b", "c"):
        reporter.message(text)
    assert flusher.drain(20)
    assert texts_of(store) == ["a"]
    flusher.finish(reporter, TaskState.SUCCESS)
    assert (texts_of(store), store.calls.count("write")) == (["a", "b", "c"], 1)


def test_message_to_a_store_with_dear_writes_does_not_wait_for_their_interval(
    store: FaultyStore, flusher: Flusher
) -> None:
    store.write_interval_s = 60
    reporter = make_reporter()
    flusher.start(reporter)
    for text in ("a", "b"):
        reporter.message(text)
        wait_until(lambda text=text: text in texts_of(store))
    flusher.finish(reporter, TaskState.SUCCESS)
