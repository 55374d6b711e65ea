"""Silent tasks are ended on evidence, and only on evidence."""

from __future__ import annotations

import io
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from billiard.exceptions import TimeLimitExceeded
from celery import Celery
from django.core.management import CommandError, call_command

from channels_progress.exceptions import PublicError
from channels_progress.records import TaskRecord, TaskState
from channels_progress.store import get_store
from channels_progress.store.memory import MemoryStore
from channels_progress.tasks import broadcast_task, reconcile
from channels_progress.tasks.reconciler import Outcome, Reconciled, reconcile_tasks
from tests.tasks.support import FaultyStore
from tests.waiting import wait_until

SUCCESS, FAILURE, REVOKED = TaskState.SUCCESS, TaskState.FAILURE, TaskState.REVOKED


@pytest.fixture(autouse=True)
def store(settings: Any) -> MemoryStore:
    """Of each test's own, with no other silent tasks."""
    store = MemoryStore()
    settings.CHANNELS_PROGRESS = {"STORE": lambda: store}
    return store


@pytest.fixture
def uid(queued: Celery) -> str:
    """A task that runs, and from which nothing is heard."""
    uid = str(uuid.uuid4())
    begin(uid)
    return uid


def begin(uid: str, delivery: str = "d1", name: str = "") -> None:
    get_store().begin(uid, delivery=delivery, owner="", body='{"current":3}', name=name)


def record_of(uid: str) -> TaskRecord:
    snapshot = get_store().read(uid)
    assert snapshot
    return snapshot.record


def reconcile_all(**options: Any) -> list[Reconciled]:
    return list(reconcile_tasks(silent_for_s=0, **options))


@pytest.mark.parametrize(
    ("stored", "state", "reason"),
    [
        (("SUCCESS", 42), SUCCESS, ""),
        (("FAILURE", KeyError("secret")), FAILURE, "Something went wrong."),
        (("FAILURE", PublicError("Row 3 is no date.")), FAILURE, "Row 3 is no date."),
        (("FAILURE", TimeLimitExceeded(7)), FAILURE, "It took longer than allowed (7 s)."),
        (("REVOKED", None), REVOKED, ""),
    ],
)
def test_task_whose_result_is_stored_is_ended_once(
    app: Celery, uid: str, stored: tuple[str, Any], state: TaskState, reason: str
) -> None:
    status, result = stored
    app.backend.store_result(uid, result, status)
    assert reconcile_all() == [Reconciled(uid, Outcome.ENDED, state)]
    assert reconcile_all() == []
    record = record_of(uid)
    assert (record.state, record.reason, record.attempt, record.body) == (state, reason, 1, {"current": 3})


@pytest.mark.parametrize("status", ["STARTED", "RETRY", "PROGRESS"])
def test_task_without_a_ready_result_is_left(app: Celery, uid: str, status: str) -> None:
    left = Reconciled(uid, Outcome.LEFT, why="the result backend has no result")
    assert reconcile_all() == [left]
    app.backend.store_result(uid, ValueError() if status == "RETRY" else None, status)
    assert reconcile_all() == [left]
    assert record_of(uid).state is TaskState.STARTED


def test_task_that_is_heard_from_is_not_looked_at(app: Celery, uid: str) -> None:
    app.backend.store_result(uid, 42, "SUCCESS")
    assert list(reconcile_tasks()) == []


def test_result_of_an_earlier_attempt_is_no_evidence(app: Celery, uid: str) -> None:
    app.backend.store_result(uid, 42, "SUCCESS")
    stored_at = time.time()
    # Later by a millisecond at least, of which stores count whole ones.
    wait_until(lambda: time.time() > stored_at + 0.005)
    begin(uid, delivery="d2")
    assert reconcile_all() == [Reconciled(uid, Outcome.LEFT, why="the result is older than this attempt")]
    assert record_of(uid).state is TaskState.STARTED


@pytest.mark.parametrize(("hours", "outcome"), [(-1, Outcome.LEFT), (1, Outcome.ENDED)])
def test_date_without_a_zone_is_not_in_djangos(
    app: Celery, uid: str, settings: Any, monkeypatch: pytest.MonkeyPatch, hours: int, outcome: Outcome
) -> None:
    """SQLAlchemy's and MongoDB's are UTC, or in Celery's zone: in New York they would be read as hours later."""
    settings.TIME_ZONE = "America/New_York"
    app.backend.store_result(uid, 42, "SUCCESS")
    done = (datetime.now(UTC) + timedelta(hours=hours)).replace(tzinfo=None)
    meta = {**app.backend.get_task_meta(uid), "date_done": done}
    monkeypatch.setattr(app.backend, "get_task_meta", lambda uid, cache: meta)
    assert [found.outcome for found in reconcile_all()] == [outcome]


def test_attempt_that_begins_meanwhile_is_left_alone(app: Celery, uid: str, settings: Any, store: MemoryStore) -> None:
    app.backend.store_result(uid, 42, "SUCCESS")
    faulty = FaultyStore(store)
    settings.CHANNELS_PROGRESS = {"STORE": lambda: faulty}

    def begin_again(name: str) -> None:
        if name == "finish":
            store.begin(uid, delivery="d2", owner="", body="{}")

    faulty.fault = begin_again
    [found] = reconcile_all()
    assert (found.outcome, found.why) == (Outcome.LEFT, "another attempt has begun, or somebody else has ended it")
    assert (record_of(uid).state, record_of(uid).attempt) == (TaskState.STARTED, 2)


@pytest.mark.parametrize("state", [TaskState.PENDING, TaskState.RETRY])
def test_task_that_only_seems_to_wait_is_ended(queued: Celery, state: TaskState) -> None:
    get_store().create("a", owner="", body="{}")
    if state is TaskState.RETRY:
        begin("a")
        get_store().finish("a", state, delivery="d1")
    assert reconcile_all() == []
    queued.backend.store_result("a", KeyError("secret"), "FAILURE")
    assert reconcile_all() == [Reconciled("a", Outcome.ENDED, FAILURE)]
    assert (record_of("a").state, record_of("a").reason) == (FAILURE, "Something went wrong.")


@pytest.mark.parametrize(("status", "expected"), [("FAILURE", TaskState.PENDING), ("SUCCESS", SUCCESS)])
def test_failure_of_a_task_that_was_requeued_is_no_end(app: Celery, uid: str, status: str, expected: TaskState) -> None:
    get_store().finish(uid, TaskState.PENDING, delivery="d1")
    app.backend.store_result(uid, KeyError() if status == "FAILURE" else 42, status)
    reconcile_all()
    assert record_of(uid).state is expected


def test_task_that_is_begun_meanwhile_did_not_only_seem_to_wait(
    queued: Celery, settings: Any, store: MemoryStore
) -> None:
    store.create("a", owner="", body="{}")
    queued.backend.store_result("a", 42, "SUCCESS")
    faulty = FaultyStore(store)
    settings.CHANNELS_PROGRESS = {"STORE": lambda: faulty}
    faulty.fault = lambda name: name == "finish" and begin("a")
    assert reconcile_all() == []
    assert record_of("a").state is TaskState.STARTED


def test_time_limit_whose_message_comes_back_is_no_end(queued: Celery) -> None:
    app = queued

    @broadcast_task(app=app, name="again", acks_late=True, acks_on_failure_or_timeout=False)
    def again(reporter: Any) -> None: ...

    uid = str(uuid.uuid4())
    app.tasks["again"]
    begin(uid, name="again")
    app.backend.store_result(uid, TimeLimitExceeded(1), "FAILURE")
    assert reconcile_all() == [Reconciled(uid, Outcome.LEFT, why="its message comes back")]


@pytest.mark.parametrize("url", ["disabled://", "rpc://"])
def test_backends_that_cannot_tell_are_said_so_and_not_asked(app: Celery, uid: str, url: str) -> None:
    other = Celery("other", broker="memory://", backend=url)
    why = "results are not kept, or only for whoever sent the task"
    assert reconcile_all() == [Reconciled(uid, Outcome.LEFT, why=why)]
    other.close()


def test_result_backend_that_does_not_answer_is_asked_once(
    app: Celery, uid: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begin("another")
    asked: list[str] = []

    def refuse(task_id: str, cache: bool = True) -> Any:
        asked.append(task_id)
        raise ConnectionError("secret address")

    monkeypatch.setattr(app.backend, "get_task_meta", refuse)
    why = "the result backend did not answer: ConnectionError"
    assert reconcile_all() == [Reconciled(each, Outcome.FAILED, why=why) for each in (uid, "another")]
    assert (asked, len(caplog.records)) == ([uid], 1)


def test_no_more_than_the_limit_and_the_budget_are_looked_at(app: Celery, uid: str) -> None:
    begin("another")
    assert [found.uid for found in reconcile_all(limit=1)] == [uid]
    assert reconcile_all(budget_s=-1) == []


def test_command_says_what_became_of_each(app: Celery, uid: str) -> None:
    begin("another")
    app.backend.store_result(uid, 42, "SUCCESS")
    output = io.StringIO()
    call_command("reconcile_tasks", "--silent-for", "0", stdout=output)
    assert output.getvalue().splitlines() == [
        f"{uid}  ended  SUCCESS",
        "another  left  the result backend has no result",
        "2 silent, 1 of them ended.",
    ]


@pytest.mark.parametrize(
    ("option", "value"), [("--limit", "0"), ("--limit", "-1"), ("--silent-for", "-1"), ("--silent-for", "nan")]
)
def test_command_refuses_what_is_no_number_of_tasks_or_seconds(app: Celery, option: str, value: str) -> None:
    with pytest.raises(CommandError, match=f"{option} is {value}; "):
        call_command("reconcile_tasks", option, value)


def test_command_fails_where_the_result_backend_does(app: Celery, uid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.backend, "get_task_meta", lambda *args, **options: 1 / 0)
    with pytest.raises(CommandError, match="The result backend did not answer"):
        call_command("reconcile_tasks", "--silent-for", "0", stdout=io.StringIO())


def test_job_for_beat_counts(app: Celery, uid: str, settings: Any, store: MemoryStore) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": lambda: store, "STALLED_AFTER_S": 0}
    app.backend.store_result(uid, 42, "SUCCESS")
    assert app.tasks["channels_progress.reconcile"].name == reconcile.name
    assert reconcile() == {"ended": 1}
