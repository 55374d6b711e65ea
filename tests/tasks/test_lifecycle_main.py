"""The worker's main process: what our ``Request`` makes of Celery's own code."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from billiard.einfo import ExceptionInfo
from billiard.exceptions import Terminated, TimeLimitExceeded, WorkerLostError
from celery import Celery, signals
from celery.exceptions import Reject
from celery.worker.request import Request

from channels_progress.records import TaskState
from channels_progress.store import get_store
from channels_progress.tasks import BroadcastTask, broadcast_task, lifecycle
from channels_progress.tasks.creations import creation_queue
from channels_progress.tasks.endings import RETRY_S, ending_queue
from channels_progress.tasks.requests import BroadcastRequest, mix_request_class

DIED = "The worker process died."


@broadcast_task(name="main.early")
def early(reporter: Any) -> None: ...


@broadcast_task(name="main.late", acks_late=True, reject_on_worker_lost=True, acks_on_failure_or_timeout=False)
def late(reporter: Any) -> None: ...


def receive(app: Celery, name: str, uid: str, **headers: Any) -> BroadcastRequest:
    """A message in the hands of the main process, its body begun in a child."""
    body = ((), {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None})
    message = SimpleNamespace(
        headers={"id": uid, "task": name, **headers}, body=body, payload=body, content_type=None,
        content_encoding=None, delivery_info={}, properties={"reply_to": "", "correlation_id": uid},
    )  # fmt: skip
    request = BroadcastRequest(message, app=app, task=app.tasks[name])
    get_store().begin(uid, delivery=request.request_dict["channels_progress_delivery"], owner="", body="{}")
    return request


def raise_info(error: BaseException) -> ExceptionInfo:
    with pytest.raises(type(error)) as raised:
        raise error
    return ExceptionInfo((type(error), error, raised.tb))


def overrun(request: BroadcastRequest) -> None:
    """A hard time limit, as billiard reports it: first the timeout, then the loss of the child it killed."""
    request.on_timeout(False, 5)
    request.on_failure(raise_info(TimeLimitExceeded(5)))


def summarize(uid: str) -> tuple[TaskState, str]:
    snapshot = get_store().read(uid)
    assert snapshot
    return snapshot.record.state, snapshot.record.reason


def test_each_delivery_has_a_name_of_its_own(app: Celery) -> None:
    first, second = receive(app, "main.early", "m0"), receive(app, "main.early", "m0")
    assert first.request_dict["channels_progress_delivery"] != second.request_dict["channels_progress_delivery"]
    first.on_failure(raise_info(WorkerLostError("gone")))
    assert summarize("m0") == (TaskState.STARTED, "")  # the second one runs


def test_lost_child_is_a_failure(app: Celery) -> None:
    receive(app, "main.early", "m1").on_failure(raise_info(WorkerLostError("gone")))
    assert summarize("m1") == (TaskState.FAILURE, DIED)


def test_lost_child_whose_message_is_requeued_waits_again(app: Celery) -> None:
    receive(app, "main.late", "m2").on_failure(raise_info(WorkerLostError("gone")))
    assert summarize("m2") == (TaskState.PENDING, "")


def test_lost_child_that_had_stored_its_result_succeeded(queued: Celery) -> None:
    request = receive(queued, "main.early", "m3")
    request.on_accepted(1, time.monotonic())
    queued.backend.mark_as_done("m3", 1)
    request.on_failure(raise_info(WorkerLostError("gone")))
    assert summarize("m3") == (TaskState.SUCCESS, "")


@pytest.mark.parametrize("error", [WorkerLostError("gone"), SystemExit(3), TimeLimitExceeded(5)])
def test_lost_child_is_a_failure_where_the_result_backend_is_away(
    app: Celery, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    uid = f"m13-{type(error).__name__}"
    request = receive(app, "main.early", uid)
    monkeypatch.setattr(app.backend, "mark_as_failure", mock.Mock(side_effect=ConnectionError))
    with pytest.raises(ConnectionError):
        request.on_failure(raise_info(error))
    assert summarize(uid)[0] is TaskState.FAILURE


def test_hard_time_limit_is_one_failure(app: Celery) -> None:
    overrun(receive(app, "main.early", "m4"))
    assert summarize("m4") == (TaskState.FAILURE, "It took longer than allowed (5 s).")


def test_hard_time_limit_whose_message_is_requeued_is_no_end(app: Celery) -> None:
    overrun(receive(app, "main.late", "m5"))
    assert summarize("m5") == (TaskState.PENDING, "")


def test_soft_time_limit_is_left_to_the_child(app: Celery) -> None:
    receive(app, "main.early", "m6").on_timeout(True, 5)
    assert summarize("m6") == (TaskState.STARTED, "")


def test_requeued_message_waits_again(app: Celery) -> None:
    receive(app, "main.late", "m7").on_failure(raise_info(Reject("x", requeue=True)), return_ok=True)
    assert summarize("m7") == (TaskState.PENDING, "")


def test_terminated_keeps_the_reason_of_the_cancel(app: Celery) -> None:
    request = receive(app, "main.early", "m9")
    get_store().request_cancel("m9", reason="Enough")
    request.on_failure(raise_info(Terminated(15)))
    assert summarize("m9") == (TaskState.REVOKED, "Enough")


@pytest.mark.parametrize(("expires", "reason"), [(None, ""), ("2020-01-01", "It expired before it could start.")])
def test_revoked_message_says_whether_it_expired(app: Celery, expires: str | None, reason: str) -> None:
    uid = f"m10-{expires}"
    request = receive(app, "main.early", uid, expires=expires)
    if not expires:
        request.maybe_expire = lambda: False
        from celery.worker.request import revoked_tasks

        revoked_tasks.add(uid)
    assert request.revoked()
    assert summarize(uid) == (TaskState.REVOKED, reason)


def test_task_stopped_for_a_lost_connection_is_tried_again(app: Celery) -> None:
    request = receive(app, "main.early", "m11")
    request.on_accepted(1, 0.0)
    request.cancel(mock.Mock())
    assert summarize("m11") == (TaskState.RETRY, "")


def test_ending_of_a_lost_record_says_which_task_and_worker_it_was(app: Celery) -> None:
    request = receive(app, "main.early", "m12")
    get_store()._kept.clear()  # type: ignore[attr-defined]
    request.on_failure(raise_info(WorkerLostError("gone")))
    snapshot = get_store().read("m12")
    assert snapshot
    assert (snapshot.record.name, snapshot.record.worker) == ("main.early", request.hostname)


def test_what_waits_is_sent_by_the_workers_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "_timer_entry", None)
    consumer = mock.Mock()
    first, second = mock.Mock(), mock.Mock()
    consumer.timer.call_repeatedly.side_effect = [first, second]
    signals.worker_ready.send(sender=consumer)
    signals.worker_ready.send(sender=consumer)
    delay_s, send = consumer.timer.call_repeatedly.call_args.args
    with mock.patch.object(ending_queue, "send") as endings, mock.patch.object(creation_queue, "send") as creations:
        send()
    assert (delay_s, endings.called, creations.called) == (RETRY_S, True, True)
    assert (first.cancel.called, second.cancel.called) == (True, False)


def test_own_request_class_gets_our_reports_too() -> None:
    class OwnRequest(Request):
        pass

    mixed = mix_request_class(OwnRequest)
    assert issubclass(mixed, OwnRequest)
    assert mix_request_class(mixed) is mixed
    assert mix_request_class(Request) is BroadcastRequest


def test_worker_uses_our_request_class(app: Celery) -> None:
    class Strategy:
        def __init__(self, task: BroadcastTask, app: Celery, consumer: Any) -> None:
            self.request_class = task.Request

    task = app.tasks["main.early"]
    task.Strategy = Strategy
    assert task.start_strategy(app, None).request_class is BroadcastRequest
