"""How a delivery ended, as far as Celery's result backend can testify.

A backend knows a task by its uid alone: what it holds may be the result of an earlier attempt, or of an earlier
publish. Only what was stored after the attempt in question began is evidence about that attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any

from billiard.exceptions import TimeLimitExceeded
from celery import states
from celery.backends.base import DisabledBackend
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from channels_progress.records import TaskState
from channels_progress.tasks.reasons import get_failure_reason

#: What a result backend stores of an attempt that is over. Celery stores nothing for Ignore and Reject.
_ENDINGS = {
    states.SUCCESS: TaskState.SUCCESS,
    states.FAILURE: TaskState.FAILURE,
    states.REVOKED: TaskState.REVOKED,
}


class NoEvidence(StrEnum):
    """Why nobody can say how an attempt ended."""

    NOT_KEPT = "results are not kept, or only for whoever sent the task"
    NONE = "the result backend has no result"
    OLDER = "the result is older than this attempt"
    UNDATED = "the result has no date"
    COMES_BACK = "its message comes back"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended.

    Attributes:
        state: An ending.
        reason: Safe text; see ``reasons``.
    """

    state: TaskState
    reason: str = ""


def can_testify(backend: Any) -> bool:
    """Whether this result backend can be asked by others than the sender, without any harm."""
    # rpc:// results are messages on the sender's own queue: reading one takes it away, and declares a queue of ours.
    return not isinstance(backend, DisabledBackend) and str(backend.as_uri()) != "rpc://"


def find_verdict(task: Any, backend: Any, uid: str, began_at: int) -> Verdict | NoEvidence:
    """How the attempt that began at ``began_at`` (UTC milliseconds) ended, if the backend knows.

    Args:
        task: Celery's task, where it is known here; else None.

    Raises:
        Exception: What the backend raises where it does not answer.
    """
    if not can_testify(backend):
        return NoEvidence.NOT_KEPT
    meta = backend.get_task_meta(uid, cache=False)
    state = _ENDINGS.get(meta["status"])
    if state is None:
        return NoEvidence.NONE
    done_at = _as_ms(meta.get("date_done"), backend)
    if done_at is None:
        return NoEvidence.UNDATED
    if done_at < began_at:
        return NoEvidence.OLDER
    return _judge(task, state, meta["result"])


def is_requeued_on_timeout(task: Any) -> bool:
    """Whether the message of a task that took too long goes back to the broker."""
    # Celery 5.7 split acks_on_failure_or_timeout.
    acknowledged = getattr(task, "acks_on_timeout", task.acks_on_failure_or_timeout)
    return bool(task.acks_late) and not acknowledged


def _judge(task: Any, state: TaskState, result: Any) -> Verdict | NoEvidence:
    if state is not TaskState.FAILURE:
        return Verdict(state)
    if isinstance(result, TimeLimitExceeded) and task is not None and is_requeued_on_timeout(task):
        # Celery stores the failure, and then gives the message back.
        return NoEvidence.COMES_BACK
    return Verdict(state, get_failure_reason(task, None, result if isinstance(result, BaseException) else None))


def _as_ms(done: Any, backend: Any) -> int | None:
    """UTC milliseconds of a ``date_done``: a text, a datetime, or None where the backend keeps none."""
    when = parse_datetime(done) if isinstance(done, str) else done
    if not isinstance(when, datetime):
        return None
    zones = _find_zones(backend) if timezone.is_naive(when) else [when.tzinfo]
    # The earliest: a result that seems older than it is is no evidence, one that seems newer would be a wrong one.
    return int(min(when.replace(tzinfo=zone).timestamp() for zone in zones) * 1000)


def _find_zones(backend: Any) -> Sequence[tzinfo | None]:
    """What the naive datetimes of a result backend may mean."""
    if type(backend).__module__.startswith("django_celery_results."):
        # Without USE_TZ.
        return [timezone.get_default_timezone()]
    # Databases drop the zone of what they are given: Celery's own, or UTC.
    return [UTC, backend.app.timezone]
