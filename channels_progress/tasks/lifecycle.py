"""Who reports what of a task's life, and to whom Celery says it.

Celery's signals are the source; the table was read from Celery 5.5 and 5.7. ``tests/worker`` tries it with a real
prefork worker, ``tests/tasks/test_lifecycle*.py`` what is rare with Celery's own code in one process. "child": the
process that runs the body, through the flusher. "main": the worker's main process, through ``endings``. With the solo,
threads and gevent pools both are one process, with both roles. "latch": whether nothing written later changes it.

====================================  ======  ==========================================  ===================  =====
what happens                          where   what tells us                               state                latch
====================================  ======  ==========================================  ===================  =====
sent (also a retry, a replacement)    sender  before_task_publish, or ``creations``       PENDING, or kept     no
the body starts                       child   the wrapper around it (``runs``)            STARTED              no
it returns                            child   task_success, once the result is stored     SUCCESS              yes
it raises, soft time limit            child   task_failure                                FAILURE              yes
storing the result fails              child   task_failure, after task_postrun(SUCCESS)   FAILURE              yes
storing the failure fails, too        child   task_internal_error, after task_postrun     FAILURE              yes
retry, autoretry_for                  child   task_retry                                  RETRY                no
cancelled before or while it runs     child   the wrapper                                 REVOKED              yes
Ignore                                child   task_postrun(IGNORED)                       IGNORED              yes
replace()                             child   the same; the store knows of the publish    PENDING              no
Reject(requeue=True)                  child   task_postrun(REJECTED)                      PENDING              no
Reject(requeue=False)                 child   the same (main from Celery 5.7 on, too)     FAILURE              yes
sys.exit(), message acknowledged      child   task_postrun(None) while SystemExit flies   FAILURE              yes
the same with acks_late               main    task_failure, or our Request.reject         FAILURE or PENDING   yes/no
eager, with task_eager_propagates     sender  task_postrun(None) while the error flies    FAILURE              yes
hard time limit                       main    task_failure, maybe twice                   FAILURE              yes
the same, message requeued            main    our Request.reject, after task_failure      PENDING              no
child killed, os._exit()              main    task_failure (WorkerLostError)              FAILURE              yes
the same, message requeued            main    our Request.reject                          PENDING              no
the same, sent again (5.7)            main    task_retry                                  RETRY                no
the same, its result was stored       main    our Request, which asks the result backend  SUCCESS              yes
revoked, terminated, expired          main    task_revoked                                REVOKED              yes
name not known to the worker           main    task_unknown                                FAILURE              yes
connection lost, task stopped (5.x)   main    task_retry without a reason                 RETRY                no
the whole worker killed               nobody  the heartbeat stops: stalled, then lost     as it was            no
the same, its result was stored       nobody  the reconciler asks the result backend      as stored            yes
====================================  ======  ==========================================  ===================  =====

A postrun with state None is no end in itself: the process may be going down, and the message may come back.
Everything names its delivery, so that what is late is refused by the store once another delivery runs.
"""

from __future__ import annotations

import logging
import sys
import time
import uuid
from datetime import datetime
from functools import partial
from typing import Any

from billiard.common import _should_have_exited  # type: ignore[attr-defined]
from celery import current_app, current_task, signals, states
from celery._state import _get_active_apps  # type: ignore[attr-defined]
from celery.app.task import Context
from celery.utils.time import maybe_make_aware
from django.core.exceptions import ImproperlyConfigured

from channels_progress.conf import get_namespace, make_pinned_context
from channels_progress.events import encode_json
from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import TaskState
from channels_progress.store import get_store
from channels_progress.store.contract import Store
from channels_progress.tasks.base import BroadcastTask
from channels_progress.tasks.complaints import complain
from channels_progress.tasks.creations import creation_queue
from channels_progress.tasks.endings import (
    RETRY_S,
    ending_queue,
    handled_request,
    report_failure_from_main,
    report_from_main,
)
from channels_progress.tasks.flusher import get_flusher
from channels_progress.tasks.origins import HEADER, Origin
from channels_progress.tasks.reasons import EXPIRED, NOT_KNOWN, get_failure_reason, get_public_reason
from channels_progress.tasks.runs import DELIVERY, Run, find_run, find_settled_run, get_title, settle_run

logger = logging.getLogger(__name__)

#: What a process may take to hand its last reports to the store when it goes down.
DRAIN_S = 2.0

_timer_entry: Any = None


def connect_signals() -> None:
    """Listen to Celery. May be called again."""
    for signal, receiver in (
        (signals.before_task_publish, on_before_task_publish),
        (signals.task_success, on_task_success),
        (signals.task_failure, on_task_failure),
        (signals.task_internal_error, on_task_internal_error),
        (signals.task_retry, on_task_retry),
        (signals.task_postrun, on_task_postrun),
        (signals.task_revoked, on_task_revoked),
        (signals.task_unknown, on_task_unknown),
        (signals.worker_ready, on_worker_ready),
        (signals.worker_process_shutdown, on_process_shutdown),
        (signals.worker_shutdown, on_worker_shutdown),
    ):
        signal.connect(receiver, weak=False, dispatch_uid=f"channels_progress.{receiver.__name__}")


def find_task(name: str) -> BroadcastTask | None:
    """Our task of this name, in the current app or any other."""
    for app in (current_app, *_get_active_apps()):
        task = app._tasks.get(name)
        if isinstance(task, BroadcastTask):
            return task
    return None


# Sender.


def on_before_task_publish(sender: str, headers: dict[str, Any], body: Any, **kwargs: Any) -> None:
    """A message leaves: its record is there before any page can ask for it. Takes at most one store timeout."""
    if (task := find_task(sender)) is None:
        return
    # Message protocol 1 has these in the body.
    uid = headers.get("id") or body["id"]
    origin = Origin.from_headers(headers)
    with origin.speaking():
        said = {"title": get_title(task), **_find_start(task, headers, body)}

    def create(store: Store, *, inside: bool, **more: int) -> None:
        text = encode_json({**said, **more})
        store.create(uid, owner=origin.owner, body=text, parent=origin.parent, inside=inside, name=sender)

    def create_late(store: Store, sent_at: int) -> None:
        # One that is there was made by a worker, and a second publish would be noted on it.
        if store.versions([uid]) == [None]:
            create(store, inside=True, sent_at=sent_at)

    try:
        store = get_store()
        try:
            create(store, inside=_is_running_here(uid))
        except StoreUnavailable:
            # The store's breaker has said so, once.
            late = partial(make_pinned_context(get_namespace()).run, create_late, store, int(time.time() * 1000))
            creation_queue.keep(uid, late, is_sent_by_timer=_timer_entry is not None and not current_task)
    except ImproperlyConfigured as error:
        complain(error)
    except Exception:
        logger.exception("The record of task %s was not made.", uid)


def _find_start(task: BroadcastTask, headers: dict[str, Any], body: Any) -> dict[str, int]:
    """``starts_at`` where the message has a ``countdown`` or an ``eta``. Protocol 1 has it in the body."""
    eta = headers.get("eta") or (body.get("eta") if isinstance(body, dict) else None)
    try:
        when = datetime.fromisoformat(eta) if isinstance(eta, str) else eta
    except ValueError:
        return {}
    return {"starts_at": _as_ms(task, when)} if isinstance(when, datetime) else {}


# Child: the process that runs the body.


def on_task_success(sender: Any, **kwargs: Any) -> None:
    """The result is stored."""
    if isinstance(sender, BroadcastTask) and (run := find_run(sender, sender.request)) is not None:
        run.end(TaskState.SUCCESS)


def on_task_failure(sender: Any, task_id: str, exception: BaseException, **kwargs: Any) -> None:
    """From the child where the body raised; from main where a process or a deadline was lost."""
    if not isinstance(sender, BroadcastTask):
        return
    if (handled := handled_request.get()) is not None:
        report_failure_from_main(sender, handled, exception)
        return
    request = sender.request
    run = find_run(sender, request) if request.id == task_id else find_settled_run(task_id)
    if run is not None:
        _fail(run, sender, request, exception)


def on_task_internal_error(sender: Any, task_id: str, exception: BaseException, **kwargs: Any) -> None:
    """Celery could not store or pass on how the body ended, mostly for want of its result backend.

    It tries to store this as the task's failure, and says nothing where that fails as well; the message is gone.
    """
    if isinstance(sender, BroadcastTask) and (run := find_settled_run(task_id)) is not None:
        _fail(run, sender, sender.request, exception)


def on_task_retry(sender: Any, request: Any, reason: Any = None, **kwargs: Any) -> None:
    """It will be tried again; sent before this, so that the next attempt may already be there."""
    if not isinstance(sender, BroadcastTask):
        return
    retry_at = _get_retry_at(sender, getattr(reason, "when", None))
    if not _is_running_here(request.id):
        report_from_main(request, TaskState.RETRY, retry_at=retry_at)
    elif (run := find_run(sender, request)) is not None:
        text = run.public_reason or get_public_reason(sender, getattr(reason, "exc", None))
        run.end(TaskState.RETRY, reason=text, retry_at=retry_at)


def on_task_postrun(sender: Any, state: str | None, retval: Any, **kwargs: Any) -> None:
    """The body is over; reports what no other signal does."""
    if not isinstance(sender, BroadcastTask) or (run := settle_run(sender, sender.request)) is None:
        return
    if state == states.IGNORED:
        run.end(TaskState.IGNORED)
    elif state == states.REJECTED and getattr(retval, "requeue", False) and not sender.request.is_eager:
        run.end(TaskState.PENDING)
    elif state == states.REJECTED:
        _fail(run, sender, sender.request, retval)
    elif state is None and _is_end(sender, error := sys.exc_info()[1]):
        _fail(run, sender, sender.request, error)
    elif state is None:
        run.leave()


def _is_end(task: Any, error: BaseException | None) -> bool:
    """Whether an exception that leaves Celery's trace is the end of the task, with nobody else to report it."""
    if task.request.is_eager:
        return error is not None
    # With acks_late the message may come back, and billiard turns the signal of a revoke or of a shutdown into a
    # SystemExit, too: main knows.
    return isinstance(error, SystemExit) and not task.acks_late and not _should_have_exited[0]


def _fail(run: Run, task: BroadcastTask, request: Any, error: BaseException | None) -> None:
    with run.origin.speaking():
        reason = run.public_reason or get_failure_reason(task, request, error)
    run.end(TaskState.FAILURE, reason=reason)


def _get_retry_at(task: BroadcastTask, when: Any) -> int:
    """UTC milliseconds of a ``Retry.when``: seconds from now, a datetime, or None."""
    if isinstance(when, datetime):
        return _as_ms(task, when)
    return 0 if when is None else int((time.time() + when) * 1000)


def _as_ms(task: BroadcastTask, when: datetime) -> int:
    return int(maybe_make_aware(when, task.app.timezone).timestamp() * 1000)


def _is_running_here(uid: str) -> bool:
    """Whether this thread is inside the body of that task, or in what Celery does around it."""
    return bool(current_task) and current_task.request.id == uid


# Main: the worker's main process.


def on_task_revoked(sender: Any, request: Any, expired: bool, **kwargs: Any) -> None:
    """A worker skips or terminates it. The reason somebody gave with a cancel is in the store already."""
    if isinstance(sender, BroadcastTask):
        report_from_main(request, TaskState.REVOKED, reason=EXPIRED if expired else "")


def on_task_unknown(sender: Any, name: str, id: str, message: Any, **kwargs: Any) -> None:  # noqa: A002  Celery's word
    """A worker threw the message away: mostly one that was not restarted after the task was added."""
    # Without an owner there is no header of ours, and the task may be anybody's.
    if HEADER in message.headers or _has_record(id):
        # A delivery of its own, so that another one of this task, running elsewhere, is left alone.
        request = Context(id=id, task=name, headers=message.headers, **{DELIVERY: uuid.uuid4().hex})
        report_from_main(request, TaskState.FAILURE, reason=NOT_KNOWN)


def _has_record(uid: str) -> bool:
    try:
        return get_store().read(uid) is not None
    except StoreUnavailable:
        return False


def on_worker_ready(sender: Any, **kwargs: Any) -> None:
    """``sender`` is the consumer; again after each lost connection to the broker, with a new timer or the same."""
    global _timer_entry
    if _timer_entry is not None:
        _timer_entry.cancel()
    _timer_entry = sender.timer.call_repeatedly(RETRY_S, _send_what_waits)


def _send_what_waits() -> None:
    creation_queue.send()
    ending_queue.send()


def on_process_shutdown(**kwargs: Any) -> None:
    """A child ends, with ``os._exit``: this is its last chance."""
    get_flusher().drain(DRAIN_S)


def on_worker_shutdown(**kwargs: Any) -> None:
    """The main process ends; with the other pools it ran bodies as well."""
    ending_queue.drain(DRAIN_S)
    get_flusher().drain(DRAIN_S)
