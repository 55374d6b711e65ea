"""What ``.delay()`` of our tasks returns: a Celery result with a page of its own, that can be cancelled."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from celery import states
from celery.exceptions import TaskRevokedError
from celery.result import AsyncResult, EagerResult
from django.urls import reverse
from kombu.exceptions import OperationalError

from channels_progress.cancelling import ask_to_cancel
from channels_progress.records import CancelOutcome
from channels_progress.tasks.runs import Cancelled

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    _AnyResult = AsyncResult[Any]
    _AnyEagerResult = EagerResult[Any]
else:
    _AnyResult, _AnyEagerResult = AsyncResult, EagerResult


class HandleMethods:
    """What a handle has on top of a Celery result."""

    id: str

    def get_absolute_url(self) -> str:
        """Path of the task's page, so that ``redirect(handle)`` leads there."""
        return reverse("channels_progress:task", args=[self.id])

    def cancel(self, *, reason: str = "") -> CancelOutcome:
        """Ask for the task to be cancelled, whoever asks: check rights before.

        A running task gets ``TaskCancelled`` from its next reporter call. A waiting one is REVOKED at once, and
        workers are told to skip its message.

        Args:
            reason: Shown to the people watching.

        Raises:
            StoreUnavailable: Nobody was asked.
        """
        outcome = ask_to_cancel(self.id, reason=reason)
        if outcome is CancelOutcome.CANCELLED:
            self._skip_message()
        return outcome

    def _skip_message(self) -> None:
        """Nothing to do where there is no message."""


class TaskHandle(HandleMethods, _AnyResult):
    """A task that was sent, or will be sent when the transaction commits: an ``AsyncResult`` in every way.

    Attributes:
        id: The task uid.
        state: Celery's state, as its result backend has it.
    """

    def _skip_message(self) -> None:
        try:
            self.revoke()
        except OperationalError as error:
            # A worker that takes the message later finds the record revoked and skips the task all the same.
            logger.warning("No worker was told to skip the cancelled task %s: %s", self.id, error)


class EagerTaskHandle(HandleMethods, _AnyEagerResult):
    """A task that ran at once in this process (``apply()``, ``task_always_eager``): an ``EagerResult``."""


def get_handle(uid: str) -> TaskHandle:
    """The handle of a task known by its uid, with the current Celery app's result backend."""
    return TaskHandle(str(uid))


def as_eager_handle(result: EagerResult[Any]) -> EagerTaskHandle:
    """The same result as a handle; a cancelled task's reads REVOKED, as it would from a worker."""
    if isinstance(result, EagerTaskHandle):
        return result
    outcome: tuple[Any, Any, Any] = (result.result, result.state, result.traceback)
    if isinstance(result.result, Cancelled):
        outcome = (TaskRevokedError(result.result.reason), states.REVOKED, None)
    return EagerTaskHandle(result.id, *outcome, result.name)
