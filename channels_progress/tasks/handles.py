"""What ``.delay()`` of our tasks returns: a Celery result with a page of its own, that can be cancelled."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from celery import states
from celery.exceptions import TaskRevokedError
from celery.result import AsyncResult, EagerResult
from django.urls import reverse
from kombu.exceptions import OperationalError

from channels_progress.cancelling import ask_to_cancel
from channels_progress.exceptions import NotTerminated
from channels_progress.records import ENDED_STATES, CancelOutcome
from channels_progress.store import get_store
from channels_progress.tasks.runs import Cancelled

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    _AnyResult = AsyncResult[Any]
    _AnyEagerResult = EagerResult[Any]
else:
    _AnyResult, _AnyEagerResult = AsyncResult, EagerResult

#: How long a worker has to answer that it has terminated a task; an idle one takes milliseconds.
ANSWER_WITHIN_S = 5.0


class HandleMethods:
    """What a handle has on top of a Celery result."""

    id: str

    def get_absolute_url(self) -> str:
        """Path of the task's page, so that ``redirect(handle)`` leads there."""
        return reverse("channels_progress:task", args=[self.id])

    def cancel(self, *, reason: str = "", terminate: bool = False) -> CancelOutcome:
        """Ask for the task to be cancelled, whoever asks: check rights before.

        A running task gets ``TaskCancelled`` from its next reporter call. A waiting one is REVOKED at once, and
        workers are told to skip its message.

        Args:
            reason: Shown to the people watching.
            terminate: Have its worker stop a running task by force, as Celery's ``revoke(terminate=True)`` does. The
                prefork and gevent pools can. Waits up to 5 s for the worker to say so.

        Raises:
            StoreUnavailable: Nobody was asked.
            NotTerminated: It was asked to stop, and will when it next reports; but no worker has terminated it.
        """
        outcome = ask_to_cancel(self.id, reason=reason)
        if outcome is CancelOutcome.CANCELLED:
            self._skip_message()
        elif terminate and outcome is CancelOutcome.CANCELLING:
            self._terminate()
        return outcome

    def _skip_message(self) -> None:
        """Nothing to do where there is no message."""

    def _terminate(self) -> None:
        raise NotTerminated(f"Task {self.id} runs in the process that has sent it, without a worker.")


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

    def _terminate(self) -> None:
        snapshot = get_store().read(self.id)
        worker = snapshot.record.worker if snapshot else ""
        # The others have nothing to skip: the store refuses what they may begin.
        options: dict[str, Any] = {"destination": [worker], "reply": True, "timeout": ANSWER_WITHIN_S}
        try:
            answers = self.app.control.revoke(self.id, terminate=True, **options)
        except OperationalError as error:
            raise NotTerminated(f"No worker was told to terminate task {self.id}: {error}") from error
        answer = answers[0].get(worker, {}) if answers else {}
        if self.id not in answer.get("ok", "") and not self._has_ended():
            raise NotTerminated(f"Task {self.id} was not terminated: its worker {worker} {describe_refusal(answer)}.")

    def _has_ended(self) -> bool:
        snapshot = get_store().read(self.id)
        return snapshot is not None and snapshot.record.state in ENDED_STATES


def describe_refusal(answer: Mapping[str, str]) -> str:
    """Why a worker has not terminated a task, by what ``celery.worker.control.revoke`` has answered."""
    if "error" in answer:
        return "has a pool that cannot do that"
    return "does not have it" if answer else "has not answered"


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
