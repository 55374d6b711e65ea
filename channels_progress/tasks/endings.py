"""Endings that only the worker's main process knows of: told to the store from there, without a thread.

A prefork parent must not run threads (a child forked while one holds a lock inherits it locked), so the store is
called directly, with its short timeout. What it does not take waits in a bounded queue for the worker's timer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from celery.exceptions import TimeLimitExceeded
from django.core.exceptions import ImproperlyConfigured

from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import TaskState
from channels_progress.store import get_store
from channels_progress.tasks.complaints import complain
from channels_progress.tasks.evidence import is_requeued_on_timeout
from channels_progress.tasks.origins import Origin
from channels_progress.tasks.reasons import get_failure_reason
from channels_progress.tasks.runs import get_delivery, get_worker

logger = logging.getLogger(__name__)

#: How many endings may wait for the store; the oldest go first.
MAX_WAITING = 10_000
#: How often the worker's timer tries again.
RETRY_S = 2.0
LOOK_AGAIN_S = 0.1

#: The context (``task.request``) of the message whose fate the main process is deciding right now.
handled_request: ContextVar[Any] = ContextVar("channels_progress_handled_request", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a delivery ended; see ``Store.finish``."""

    uid: str
    state: TaskState
    delivery: str
    owner: str
    reason: str = ""
    retry_at: int = 0
    name: str = ""
    worker: str = ""


class EndingQueue:
    """Endings on their way to the store, in order."""

    def __init__(self) -> None:
        self._waiting: deque[Ending] = deque(maxlen=MAX_WAITING)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def report(self, ending: Ending) -> None:
        """Tell the store now if it answers, else later. Takes at most one store timeout; never raises."""
        with self._lock:
            self._waiting.append(ending)
        self.send()

    def send(self) -> None:
        """Send what waits, until the store does not answer."""
        with self._lock:
            while self._waiting and self._is_done(self._waiting[0]):
                self._waiting.popleft()

    def drain(self, budget_s: float) -> None:
        """Send what waits, for at most ``budget_s`` (and one store timeout); says how many are given up."""
        deadline = time.monotonic() + budget_s
        self.send()
        while self._waiting and time.monotonic() < deadline:
            time.sleep(LOOK_AGAIN_S)
            self.send()
        if self._waiting:
            logger.warning("The store did not take the endings of %d tasks before shutdown.", len(self._waiting))

    def _is_done(self, ending: Ending) -> bool:
        try:
            get_store().finish(
                ending.uid,
                ending.state,
                delivery=ending.delivery,
                owner=ending.owner,
                reason=ending.reason,
                retry_at=ending.retry_at,
                name=ending.name,
                worker=ending.worker,
            )
        except StoreUnavailable:
            return False
        except ImproperlyConfigured as error:
            complain(error)
        except Exception:
            # Not the store's absence but a mistake: trying again would not help, and the worker must go on.
            logger.exception("The ending of task %s was not stored.", ending.uid)
        return True


ending_queue = EndingQueue()


def report_from_main(request: Any, state: TaskState, *, reason: Any = "", retry_at: int = 0) -> None:
    """Report how a delivery ended that this process only supervises.

    Args:
        request: The context of its message.
        state: As for ``Store.finish``.
        reason: Perhaps a lazy text: resolved in the owner's language.
        retry_at: For RETRY, UTC milliseconds.
    """
    origin = Origin.from_headers(request.headers)
    with origin.speaking():
        text = str(reason)
    ending_queue.report(
        Ending(
            uid=request.id,
            state=state,
            delivery=get_delivery(request),
            owner=origin.owner,
            reason=text,
            retry_at=retry_at,
            name=str(request.get("task") or ""),
            worker=get_worker(request),
        )
    )


def report_failure_from_main(task: Any, request: Any, error: BaseException) -> None:
    """Report that a delivery ended with this error, unless its message comes back: ``Request.reject`` says so."""
    if isinstance(error, TimeLimitExceeded) and is_requeued_on_timeout(task):
        return
    with Origin.from_headers(request.headers).speaking():
        reason = get_failure_reason(task, request, error)
    report_from_main(request, TaskState.FAILURE, reason=reason)
