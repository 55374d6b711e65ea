"""Every way a task ends shows as one true ending, with a real worker (DESIGN.md, Endings)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery, chord
from celery.exceptions import TaskRevokedError
from django.contrib.auth.models import User

from channels_progress.records import CancelOutcome, TaskRecord, TaskState
from channels_progress.store import get_store
from channels_progress.tasks import TaskHandle, broadcast_task
from tests.live.rig import Rig
from tests.waiting import WITHIN_S, wait_until
from tests.worker import tasks

pytestmark = pytest.mark.live

AwaitState = Callable[..., TaskRecord]
OpenGate = Callable[[str], None]
ALICE = User(pk=7, username="alice")
SUCCESS, FAILURE, REVOKED = TaskState.SUCCESS, TaskState.FAILURE, TaskState.REVOKED
GENERIC = "Something went wrong."
DIED = "The worker process died."


def summarize(record: TaskRecord) -> tuple[TaskState, int, str]:
    return record.state, record.attempt, record.reason


def test_success_keeps_the_last_report_and_the_messages(await_state: AwaitState) -> None:
    handle = tasks.add.for_user(ALICE).delay(1, 2)
    record = await_state(handle, SUCCESS)
    snapshot = get_store().read(handle.id)
    assert handle.get(timeout=WITHIN_S) == 3
    assert summarize(record) == (SUCCESS, 1, "")
    assert (record.owner, record.body["title"], record.body["current"]) == ("user:7", "Add", 1)
    assert [message.text for message in snapshot.messages] == ["Added"]


def test_task_is_on_its_owners_list_with_its_name_and_worker(await_state: AwaitState) -> None:
    bob = User(pk=8, username="bob")
    handles = [tasks.add.for_user(bob).delay(1, number) for number in range(2)]
    for handle in handles:
        await_state(handle, SUCCESS)
    listing = get_store().list_for("user:8")
    assert {record.uid for record in listing.records} == {handle.id for handle in handles}
    assert {record.name for record in listing.records} == {tasks.add.name}
    assert {record.worker for record in listing.records} == {f"celery@{socket.gethostname()}"}
    # Two creates; their begins, in another process, change nothing.
    assert listing.version.seq == 2


def test_failure_shows_only_what_is_public(await_state: AwaitState) -> None:
    secret, public, unpicklable = tasks.fail.delay("secret"), tasks.fail.delay("public"), tasks.fail_unpicklable.delay()
    assert summarize(await_state(secret, FAILURE)) == (FAILURE, 1, GENERIC)
    assert summarize(await_state(public, FAILURE)) == (FAILURE, 1, "Column 3 is not a date.")
    assert await_state(unpicklable, FAILURE).reason == "cities.csv is not readable from line 7 on."
    with pytest.raises(KeyError, match="password"):
        secret.get(timeout=WITHIN_S)


def test_result_that_cannot_be_stored_is_a_failure(await_state: AwaitState) -> None:
    assert summarize(await_state(tasks.unstorable.delay(), FAILURE)) == (FAILURE, 1, GENERIC)


def test_retry_shows_when_and_then_the_second_attempt(await_state: AwaitState, open_gate: OpenGate) -> None:
    waiting = tasks.retry_once.delay("long")
    record = await_state(waiting, TaskState.RETRY)
    assert 50_000 < record.retry_at - record.began_at < 70_000
    assert waiting.cancel() is CancelOutcome.CANCELLED

    handle = tasks.retry_once.for_user(ALICE).delay("retried")
    wait_until(lambda: get_store().read(handle.id).record.attempt == 2)
    open_gate("retried")
    record = await_state(handle, SUCCESS)
    assert (summarize(record), record.owner) == ((SUCCESS, 2, ""), "user:7")


def test_ignored_and_rejected_tasks(await_state: AwaitState) -> None:
    ignored, rejected = tasks.ignore.delay(), tasks.reject.delay(requeue=False)
    requeued = tasks.reject.delay(requeue=True)
    assert summarize(await_state(ignored, TaskState.IGNORED)) == (TaskState.IGNORED, 1, "")
    assert summarize(await_state(rejected, FAILURE)) == (FAILURE, 1, "The worker could not take it.")
    assert summarize(await_state(requeued, SUCCESS)) == (SUCCESS, 2, "")


def test_lost_processes_are_failures(await_state: AwaitState) -> None:
    killed, left, exited = tasks.die.delay("kill"), tasks.die.delay("exit"), tasks.leave.delay()
    for handle in (killed, left, exited):
        assert summarize(await_state(handle, FAILURE)) == (FAILURE, 1, DIED)


def test_time_limits(await_state: AwaitState) -> None:
    soft, hard = tasks.overrun.apply_async(soft_time_limit=1), tasks.overrun.apply_async(time_limit=1)
    assert summarize(await_state(soft, FAILURE)) == (FAILURE, 1, "It took longer than allowed (1 s).")
    assert summarize(await_state(hard, FAILURE)) == (FAILURE, 1, "It took longer than allowed (1 s).")


def test_time_limit_that_requeues_is_no_ending(await_state: AwaitState, open_gate: OpenGate) -> None:
    handle = tasks.overrun_once.apply_async(("requeued",), time_limit=1)
    wait_until(lambda: get_store().read(handle.id).record.attempt == 2)
    open_gate("requeued")
    assert await_state(handle, SUCCESS).reason == ""


def test_revoked_before_the_start(await_state: AwaitState, celery_worker_app: Celery) -> None:
    handle = tasks.add.apply_async((1,), countdown=2)
    handle.revoke()
    assert summarize(await_state(handle, REVOKED)) == (REVOKED, 0, "")
    with pytest.raises(TaskRevokedError):
        handle.get(timeout=WITHIN_S)


def test_terminated_while_it_runs(await_state: AwaitState) -> None:
    handle = tasks.overrun.delay()
    await_state(handle, TaskState.STARTED)
    handle.revoke(terminate=True)
    assert summarize(await_state(handle, REVOKED)) == (REVOKED, 1, "")


def test_expired_task_says_so(await_state: AwaitState) -> None:
    handle = tasks.add.for_user(ALICE, language="de").apply_async((1,), expires=-5)
    assert summarize(await_state(handle, REVOKED)) == (REVOKED, 0, "It expired before it could start.")


def test_cancelled_while_queued_never_runs(await_state: AwaitState, open_gate: OpenGate) -> None:
    busy = [tasks.wait.delay("queue") for _ in range(2)]
    for handle in busy:
        await_state(handle, TaskState.PROGRESS)
    queued = tasks.add.delay(1)
    assert queued.cancel(reason="Wrong file") is CancelOutcome.CANCELLED
    open_gate("queue")
    with pytest.raises(TaskRevokedError):
        queued.get(timeout=WITHIN_S)
    assert summarize(await_state(queued, REVOKED)) == (REVOKED, 0, "Wrong file")
    assert [handle.get(timeout=WITHIN_S) for handle in busy] == ["went through"] * 2


def test_cancelled_without_a_revoke_is_skipped_by_the_worker(await_state: AwaitState) -> None:
    handle = tasks.add.apply_async((1,), countdown=1)
    assert get_store().request_cancel(handle.id, reason="No longer needed") is CancelOutcome.CANCELLED
    with pytest.raises(TaskRevokedError, match="No longer needed"):
        handle.get(timeout=WITHIN_S)


def test_cancelled_while_it_runs(await_state: AwaitState) -> None:
    handle = tasks.wait.delay()
    await_state(handle, TaskState.PROGRESS)
    assert handle.cancel(reason="Enough") is CancelOutcome.CANCELLING
    assert summarize(await_state(handle, REVOKED)) == (REVOKED, 1, "Enough")
    with pytest.raises(TaskRevokedError, match="Enough"):
        handle.get(timeout=WITHIN_S)
    assert handle.cancel() is CancelOutcome.ENDED


def test_chord_with_a_cancelled_member_errors_out(await_state: AwaitState, celery_worker_app: Celery) -> None:
    member = tasks.wait.s()
    body = chord([tasks.add.s(1, 2), member])(tasks.collect.s())
    running = body.parent.results[1]
    assert isinstance(running, TaskHandle)
    await_state(running, TaskState.PROGRESS)
    running.cancel(reason="Stop")
    with pytest.raises(Exception, match="Stop"):
        body.get(timeout=WITHIN_S)


def test_replacement_keeps_the_page(await_state: AwaitState) -> None:
    handle = tasks.replace.for_user(ALICE).delay(1)
    record = await_state(handle, SUCCESS)
    assert (handle.get(timeout=WITHIN_S), record.owner, record.attempt) == (101, "user:7", 2)


def test_children_of_a_chain_have_their_owners(await_state: AwaitState) -> None:
    chain = tasks.add.for_user(ALICE).s(1, 1) | tasks.add.for_user(ALICE).s(10)
    last = chain.delay()
    assert last.get(timeout=WITHIN_S) == 12
    assert [await_state(handle, SUCCESS).owner for handle in (last, last.parent)] == ["user:7", "user:7"]


def test_language_of_the_owner_is_active(celery_worker_app: Celery) -> None:
    assert tasks.tell_language.for_user(ALICE, language="de").delay().get(timeout=WITHIN_S) == "de"


def test_task_that_the_worker_does_not_know_has_failed(await_state: AwaitState, rig: Rig) -> None:
    app = rig.make_app()
    added = broadcast_task(app=app, name="added_since_the_worker_started")(len)
    records = [await_state(sent, FAILURE) for sent in (added.for_user(ALICE).delay(""), added.delay(""))]
    assert [(record.state, record.reason, record.owner) for record in records] == [
        (FAILURE, "The worker does not know this task.", "user:7"),
        (FAILURE, "The worker does not know this task.", ""),
    ]


def test_foreign_task_that_the_worker_does_not_know_gets_no_record(
    await_state: AwaitState, celery_worker_app: Celery
) -> None:
    foreign: Any = celery_worker_app.send_task("foreign.task", result_cls=TaskHandle)
    await_state(tasks.add.delay(1, 2), SUCCESS)
    assert get_store().read(foreign.id) is None


def test_missing_argument_fails_in_the_worker_too(await_state: AwaitState, celery_worker_app: Celery) -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        tasks.add.delay()
    handle: Any = celery_worker_app.send_task("tests.worker.tasks.add", result_cls=TaskHandle)
    assert summarize(await_state(handle, FAILURE)) == (FAILURE, 1, GENERIC)
