"""Ends tasks whose end nobody could report, where Celery's result backend knows how they ended.

A worker that is killed between storing a result and telling the store leaves a task that reads *stalled*, then
*lost*, although its end is known; one that could not tell the store anything before, a task that seems to wait.
``reconcile_tasks`` looks for such tasks: it ends one only on evidence (:mod:`~channels_progress.tasks.evidence`), and
only the very delivery that it found silent, so that an attempt which has begun meanwhile is left alone. May be run
again, and by several processes at once: an end is latched once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from celery import current_app

from channels_progress.conf import get_settings
from channels_progress.records import RUNNING_STATES, SilentTask, TaskState
from channels_progress.store import get_store
from channels_progress.tasks.evidence import NoEvidence, Verdict, find_verdict
from channels_progress.tasks.lifecycle import find_task

logger = logging.getLogger(__name__)

_WAITING_STATES = frozenset({TaskState.PENDING, TaskState.RETRY})

#: How many silent tasks one call looks at.
LIMIT = 1_000
#: After so many seconds it begins with no other task.
BUDGET_S = 30.0
UNHEARD = "unheard"
UNNAMED = "its delivery has no name"
SUPERSEDED = "another attempt has begun, or somebody else has ended it"


class Outcome(StrEnum):
    """What became of a silent task."""

    ENDED = "ended"
    LEFT = "left"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One silent task, and what became of it.

    Attributes:
        uid: Celery's task id.
        outcome: Whether it was ended here.
        state: The end that was found; None where it was left as it is.
        why: Why it was left, or what the result backend raised.
    """

    uid: str
    outcome: Outcome
    state: TaskState | None = None
    why: str = ""


def reconcile_tasks(
    *, silent_for_s: float | None = None, limit: int = LIMIT, budget_s: float = BUDGET_S
) -> Iterator[Reconciled]:
    """Look at each silent task, and end it where there is evidence.

    Those that ran come first, then those that wait; of both those that are silent longest.

    Args:
        silent_for_s: Without a heartbeat, or waiting, for this long; None: ``STALLED_AFTER_S``.
        limit: Look at no more tasks of either kind than this.
        budget_s: Look at no other task after this time. A result backend that does not answer is asked only once.

    Raises:
        StoreUnavailable: The store did not answer.
    """
    # So that a command knows the tasks as a worker does.
    current_app.loader.import_default_modules()
    store, deadline = get_store(), time.monotonic() + budget_s
    older_than_s = get_settings().STALLED_AFTER_S if silent_for_s is None else silent_for_s
    broken: dict[int, str] = {}
    for states in (RUNNING_STATES, _WAITING_STATES):
        for silent in store.find_silent(older_than_s=older_than_s, limit=limit, states=states):
            if time.monotonic() > deadline:
                return
            found = _reconcile(silent, broken)
            # What waits, and has no result, just waits.
            if states is RUNNING_STATES or found.outcome is not Outcome.LEFT:
                yield found


def _reconcile(silent: SilentTask, broken: dict[int, str]) -> Reconciled:
    task = find_task(silent.name)
    backend: Any = (task or current_app).backend
    try:
        if why := broken.get(id(backend), ""):
            return Reconciled(silent.uid, Outcome.FAILED, why=why)
        verdict = find_verdict(task, backend, silent.uid, silent.began_at or silent.created_at)
        if verdict is NoEvidence.OLDER and not silent.began_at and (sent_at := _read_sent_at(silent.uid)):
            verdict = find_verdict(task, backend, silent.uid, sent_at)
    except Exception as error:
        logger.warning("The result backend did not tell how task %s ended.", silent.uid, exc_info=True)
        broken[id(backend)] = why = f"the result backend did not answer: {type(error).__name__}"
        return Reconciled(silent.uid, Outcome.FAILED, why=why)
    if not isinstance(verdict, Verdict):
        return Reconciled(silent.uid, Outcome.LEFT, why=verdict.value)
    if silent.state is TaskState.PENDING and silent.attempt and verdict.state is TaskState.FAILURE:
        # The failure for which the message went back to the queue, perhaps.
        return Reconciled(silent.uid, Outcome.LEFT, why=NoEvidence.COMES_BACK.value)
    return _end(silent, verdict)


def _read_sent_at(uid: str) -> int:
    """When a task was sent whose record was made later; see ``creations``. 0 where that was at once."""
    snapshot = get_store().read(uid)
    return int(snapshot.record.body.get("sent_at", 0)) if snapshot else 0


def _end(silent: SilentTask, verdict: Verdict) -> Reconciled:
    # What waits was ended by a delivery that nobody has heard of: under its name nothing that runs now can be ended.
    delivery = UNHEARD if silent.state in _WAITING_STATES else silent.delivery
    if not delivery:
        # Finished without a name, it would end whatever runs now.
        return Reconciled(silent.uid, Outcome.LEFT, why=UNNAMED)
    written = get_store().finish(silent.uid, verdict.state, delivery=delivery, reason=verdict.reason, begun=True)
    if not written.accepted:
        return Reconciled(silent.uid, Outcome.LEFT, why=SUPERSEDED)
    return Reconciled(silent.uid, Outcome.ENDED, verdict.state)
