"""Who reports what: the child's side through Celery's own tracer, and what surrounds it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from billiard.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError
from celery import Celery, signals
from celery.app.trace import build_tracer
from celery.exceptions import Reject
from django.utils.translation import gettext_lazy

from channels_progress.exceptions import PublicError, TaskCancelled
from channels_progress.records import TaskRecord, TaskState
from channels_progress.store import get_store
from channels_progress.tasks import broadcast_task, complaints
from channels_progress.tasks.endings import Ending, EndingQueue
from channels_progress.tasks.flusher import get_flusher
from channels_progress.tasks.reasons import get_failure_reason
from example_project.embedded_redis import EmbeddedRedis
from tests.waiting import wait_until


class GreenletExit(BaseException):
    """What gevent's pool raises in a task that it terminates."""


class Unprintable(PublicError):
    def __str__(self) -> str:
        raise RuntimeError


@broadcast_task(name="lifecycle.do", bind=True, public_errors=[LookupError])
def do(self: Any, reporter: Any, raises: Any = None) -> str:
    if raises is not None:
        raise raises
    return "done"


@broadcast_task(name="lifecycle.do_late", acks_late=True)
def do_late(reporter: Any, raises: Any) -> None:
    raise raises


@broadcast_task(name="lifecycle.try_again", bind=True)
def try_again(self: Any, reporter: Any, times: int) -> None:
    if self.request.retries < times:
        raise self.retry(countdown=0)


def trace(app: Celery, name: str, *args: Any, uid: str, **request: Any) -> None:
    """Run a task as a worker's child does, in this process."""
    request = {"id": uid, "task": name, "delivery_info": {}, "channels_progress_delivery": f"d-{uid}", **request}
    build_tracer(name, app.tasks[name], app=app)(uid, args, {}, request)


def read(uid: str) -> TaskRecord:
    snapshot = get_store().read(uid)
    assert snapshot is not None
    return snapshot.record


def summarize(uid: str) -> tuple[TaskState, str]:
    record = read(uid)
    return record.state, record.reason


def test_delivery_of_the_worker_names_the_attempt(queued: Celery) -> None:
    trace(queued, "lifecycle.do", uid="u1")
    assert (read("u1").delivery, read("u1").state) == ("d-u1", TaskState.SUCCESS)


@pytest.mark.parametrize("options", [{"countdown": 600}, {"eta": "aware"}, {"eta": "naive"}])
def test_scheduled_task_says_when_it_starts(queued: Celery, options: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    # Celery takes a naive time for one of its own time zone, UTC by default.
    when = {"aware": now + timedelta(seconds=600), "naive": now.replace(tzinfo=None) + timedelta(seconds=600)}
    options = {name: when.get(value, value) for name, value in options.items()}
    handle = do.apply_async(**options)
    starts_at = read(handle.id).body["starts_at"]
    assert abs(starts_at - (now.timestamp() + 600) * 1000) < 5_000
    trace(queued, "lifecycle.do", uid=handle.id)
    assert "starts_at" not in read(handle.id).body


def test_task_that_is_not_scheduled_says_no_time(queued: Celery) -> None:
    assert read(do.delay().id).body == {"title": "Do"}


def test_result_that_is_not_stored_is_no_success(queued: Celery) -> None:
    with (
        mock.patch.object(queued.backend, "mark_as_done", side_effect=ConnectionError),
        pytest.warns(RuntimeWarning, match="Exception raised outside body"),
    ):
        trace(queued, "lifecycle.do", uid="u2")
    assert summarize("u2") == (TaskState.FAILURE, "Something went wrong.")


@pytest.mark.parametrize("error", [None, LookupError("No such row")])
def test_result_backend_that_is_away_leaves_no_task_running(queued: Celery, error: Any) -> None:
    uid, reason = ("u14", str(error)) if error else ("u15", "Something went wrong.")
    with (
        mock.patch.object(queued.backend, "store_result", side_effect=ConnectionError),
        pytest.warns(RuntimeWarning, match="Exception raised outside body"),
        pytest.raises(ConnectionError),
    ):
        trace(queued, "lifecycle.do", error, uid=uid)
    assert summarize(uid) == (TaskState.FAILURE, reason)


def test_process_that_goes_down_is_no_end(queued: Celery) -> None:
    for uid, name, error in (
        ("u3", "lifecycle.do", KeyboardInterrupt()),
        ("u4", "lifecycle.do_late", SystemExit(1)),
    ):
        with pytest.raises(type(error)):
            trace(queued, name, error, uid=uid)
        assert read(uid).state is TaskState.STARTED


def test_exit_of_an_acknowledged_task_is_its_end(queued: Celery) -> None:
    with pytest.raises(SystemExit):
        trace(queued, "lifecycle.do", SystemExit(1), uid="u5")
    assert summarize("u5") == (TaskState.FAILURE, "The worker process died.")


def test_reject_waits_again_or_fails(queued: Celery) -> None:
    trace(queued, "lifecycle.do", Reject("x", requeue=True), uid="u6")
    trace(queued, "lifecycle.do", Reject("x", requeue=False), uid="u7")
    assert summarize("u6") == (TaskState.PENDING, "")
    assert summarize("u7") == (TaskState.FAILURE, "The worker could not take it.")


def test_cancelled_body_is_revoked_in_the_result_backend_too(queued: Celery) -> None:
    trace(queued, "lifecycle.do", TaskCancelled("Enough"), uid="u8")
    assert summarize("u8") == (TaskState.REVOKED, "Enough")
    assert queued.AsyncResult("u8").state == "REVOKED"


def test_result_backend_that_is_away_does_not_undo_a_cancel(queued: Celery, caplog: pytest.LogCaptureFixture) -> None:
    with mock.patch.object(queued.backend, "mark_as_revoked", side_effect=ConnectionError):
        trace(queued, "lifecycle.do", TaskCancelled(""), uid="u9")
    assert summarize("u9") == (TaskState.REVOKED, "")
    assert "did not take that task u9 was cancelled" in caplog.text


def test_redelivery_of_a_finished_task_runs_but_changes_nothing(
    queued: Celery, caplog: pytest.LogCaptureFixture
) -> None:
    trace(queued, "lifecycle.do", uid="u10")
    before = read("u10")
    trace(queued, "lifecycle.do", ValueError(), uid="u10", channels_progress_delivery="again")
    assert read("u10") == before
    assert "u10] raised unexpected: ValueError()" in caplog.text


def test_retry_of_a_finished_task_that_came_again_opens_no_new_history(queued: Celery) -> None:
    trace(queued, "lifecycle.try_again", 1, uid="u13", retries=1)
    before = read("u13")
    trace(queued, "lifecycle.try_again", 1, uid="u13", channels_progress_delivery="again")
    assert (before.state, read("u13")) == (TaskState.SUCCESS, before)


def test_body_that_was_never_reached_ends_as_well(queued: Celery) -> None:
    with mock.patch.object(queued.tasks["lifecycle.do"].__class__, "before_start", side_effect=LookupError("No room")):
        trace(queued, "lifecycle.do", uid="u11")
    assert summarize("u11") == (TaskState.FAILURE, "No room")


def test_body_that_is_killed_in_a_living_process_is_left_to_others(queued: Celery) -> None:
    with pytest.raises(GreenletExit), mock.patch.object(get_flusher(), "leave") as leave:
        trace(queued, "lifecycle.do", GreenletExit(), uid="u-left")
    assert (read("u-left").state, leave.call_args.args[0].uid) == (TaskState.STARTED, "u-left")


@pytest.mark.parametrize("error", [ValueError("secret"), SystemExit(2)])
def test_eager_error_that_propagates_is_an_end(app: Celery, error: BaseException) -> None:
    with pytest.raises(type(error)):
        do.apply((error,), task_id=f"eager-{type(error).__name__}", throw=True)
    assert read(f"eager-{type(error).__name__}").state is TaskState.FAILURE


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("secret"), "Something went wrong."),
        (PublicError("Column 3"), "Column 3"),
        (PublicError(gettext_lazy("Yes")), "Yes"),
        (IndexError("Row 9"), "Row 9"),
        (PublicError("x" * 5000), "x" * 1999 + "…"),
        (Unprintable(), "Something went wrong."),
        (TimeLimitExceeded(300), "It took longer than allowed (300 s)."),
        (SoftTimeLimitExceeded(), "It took longer than allowed (2.5 s)."),
        (WorkerLostError("signal 9"), "The worker process died."),
        (None, "Something went wrong."),
    ],
)
def test_reason_is_safe_for_the_person_watching(app: Celery, error: Any, reason: str) -> None:
    request = mock.Mock(timelimit=[None, 2.5])
    assert get_failure_reason(app.tasks["lifecycle.do"], request, error) == reason


def test_reason_is_in_the_language_of_the_owner(queued: Celery) -> None:
    error = PublicError(gettext_lazy("Yes"))
    trace(queued, "lifecycle.do", error, uid="u12", headers={"channels_progress": {"language": "de"}})
    assert summarize("u12") == (TaskState.FAILURE, "Ja")


def test_message_of_protocol_1_has_a_record(app: Celery) -> None:
    app.conf.update(task_always_eager=False, task_protocol=1)
    assert read(do.delay().id).state is TaskState.PENDING


def test_junk_in_the_header_is_ignored(app: Celery) -> None:
    for number, junk in enumerate(["x", {"owner": 5, "time_zone": "Nowhere/Land"}, None]):
        assert do.apply(task_id=f"junk-{number}", headers={"channels_progress": junk}).get() == "done"
        assert read(f"junk-{number}").owner == ""


def test_record_knows_the_task_by_name_and_its_worker(queued: Celery) -> None:
    handle = do.delay()
    assert (read(handle.id).name, read(handle.id).worker) == (do.name, "")
    queued.conf.task_always_eager = True
    eager = do.delay()
    assert (read(eager.id).name, read(eager.id).worker) == (do.name, socket.gethostname())


def test_frozen_store_delays_sending_once(app: Celery, own_redis: EmbeddedRedis, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": own_redis.url, "STORE_TIMEOUT_S": 0.5}
    app.conf.task_always_eager = False
    own_redis.pause()
    started = time.monotonic()
    for _ in range(20):
        do.delay()
    assert time.monotonic() - started < 20 * 0.5
    own_redis.resume()


def test_endings_wait_for_the_store_and_keep_their_order(own_redis: EmbeddedRedis, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": own_redis.url, "STORE_TIMEOUT_S": 0.2}
    queue = EndingQueue()
    own_redis.pause()
    queue.report(Ending(uid="e1", state=TaskState.FAILURE, delivery="d", owner="user:1", reason="first"))
    queue.report(Ending(uid="e1", state=TaskState.REVOKED, delivery="d", owner="user:1", reason="second"))
    assert len(queue) == 2
    own_redis.resume()
    wait_until(lambda: queue.send() or not len(queue))
    assert (summarize("e1"), read("e1").owner) == ((TaskState.FAILURE, "first"), "user:1")


def test_shutdown_gives_up_within_its_budget(
    own_redis: EmbeddedRedis, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": own_redis.url, "STORE_TIMEOUT_S": 0.2}
    queue = EndingQueue()
    own_redis.pause()
    started = time.monotonic()
    queue.report(Ending(uid="e2", state=TaskState.FAILURE, delivery="d", owner=""))
    queue.drain(0.3)
    # Not until the store is back.
    assert time.monotonic() - started < 20
    assert "did not take the endings of 1 tasks" in caplog.text
    own_redis.resume()


def test_mistake_in_the_settings_is_one_warning_however_many_tasks_meet_it(
    app: Celery, settings: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(complaints, "_said", set())
    settings.CHANNELS_PROGRESS = {"STORE": "nonsense"}
    for _ in range(2):
        assert do.delay().get() == "done"
    app.conf.task_always_eager = False
    do.delay()
    queue = EndingQueue()
    queue.report(Ending(uid="e3", state=TaskState.FAILURE, delivery="d", owner=""))
    [record] = caplog.records
    assert (len(queue), record.levelname, record.exc_info) == (0, "WARNING", None)
    assert record.getMessage().startswith("The progress of tasks is not reported. CHANNELS_PROGRESS")


def test_signals_are_connected_once() -> None:
    names = [str(key) for key, _ in signals.task_success.receivers]
    assert sum("channels_progress.on_task_success" in name for name in names) <= 1


WITHOUT_CELERY = """
import sys
sys.modules["celery"] = None
import django
django.setup()
assert "kombu" not in sys.modules
try:
    from channels_progress import broadcast_task
except ImportError as error:
    print(error)
"""


def test_without_celery_the_extra_is_named() -> None:
    result = subprocess.run([sys.executable, "-c", WITHOUT_CELERY], capture_output=True, text=True, check=True)
    assert "pip install 'channels-progress[celery]'" in result.stdout
