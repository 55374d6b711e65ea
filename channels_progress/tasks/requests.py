"""Our ``Task.Request``: names each delivery, and knows in the worker's main process which one just ended."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.worker.request import Request

from channels_progress.records import TaskState
from channels_progress.tasks.endings import handled_request, report_failure_from_main, report_from_main
from channels_progress.tasks.evidence import Verdict, find_verdict
from channels_progress.tasks.runs import DELIVERY

logger = logging.getLogger(__name__)

#: Of what only the main process can tell.
LOST = (WorkerLostError, SystemExit, KeyboardInterrupt, TimeLimitExceeded)


class ReportingMixin:
    """Goes before a ``celery.worker.request.Request``.

    Each message that a worker receives is a new request, so a redelivery has another name than the delivery before.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request_dict[DELIVERY] = uuid.uuid4().hex  # type: ignore[attr-defined]

    def on_timeout(self, soft: bool, timeout: float) -> Any:
        """Celery sends ``task_failure`` from in here, without a request."""
        with self._handling():
            return super().on_timeout(soft, timeout)  # type: ignore[misc]

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Celery sends ``task_failure`` or ``task_retry`` from in here, or requeues the message."""
        with self._handling():
            # billiard wraps some exceptions.
            error = getattr(exc_info.exception, "exc", exc_info.exception)
            if not hasattr(Request, "_success_was_stored") and isinstance(error, WorkerLostError):
                self._report_stored_success()
            try:
                return super().on_failure(exc_info, *args, **kwargs)  # type: ignore[misc]
            except Exception:
                # The result backend is away, or cannot store a SystemExit (5.5): Celery tells nobody of the failure.
                if isinstance(error, LOST):
                    report_failure_from_main(self.task, self._context, error)
                raise

    def reject(self, requeue: bool = False) -> Any:
        """The message goes back to the broker: the task waits again."""
        was_acknowledged = self.acknowledged
        answer = super().reject(requeue=requeue)  # type: ignore[misc]
        if requeue and not was_acknowledged:
            report_from_main(self._context, TaskState.PENDING)
        return answer

    def _success_was_stored(self) -> Any:
        """Celery 5.7 asks for a lost child: it may have died after storing the result, before telling us."""
        meta = super()._success_was_stored()  # type: ignore[misc]
        if meta:
            report_from_main(self._context, TaskState.SUCCESS)
        return meta

    def _report_stored_success(self) -> None:
        """The same for Celery before 5.7, which makes a failure of it unless the message comes back."""
        task, began_at = self.task, int((self.time_start or 0) * 1000)
        if task.acks_late and task.reject_on_worker_lost:
            return
        try:
            verdict = find_verdict(task, task.backend, self.id, began_at)
        except Exception:
            logger.warning("The result backend did not tell how task %s ended.", self.id, exc_info=True)
            return
        if isinstance(verdict, Verdict) and verdict.state is TaskState.SUCCESS:
            report_from_main(self._context, TaskState.SUCCESS)

    @contextmanager
    def _handling(self) -> Iterator[None]:
        token = handled_request.set(self._context)
        try:
            yield
        finally:
            handled_request.reset(token)

    # Given by the class that this one is mixed into.
    acknowledged: bool
    id: str
    task: Any
    time_start: float | None
    _context: Any


class BroadcastRequest(ReportingMixin, Request):
    """Celery's request, with our reports."""


@cache
def mix_request_class(base: type[Any]) -> type[Any]:
    """``base`` with our reports: ``BroadcastRequest`` itself for Celery's own."""
    if issubclass(base, ReportingMixin):
        return base
    if base is Request:
        return BroadcastRequest
    return type(f"Broadcast{base.__name__}", (ReportingMixin, base), {})
