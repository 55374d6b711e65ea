"""What is known of a task: its states, its record, its messages, and how its liveness is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class TaskState(StrEnum):
    """Celery's own state names (``celery.states``), with PROGRESS, the custom one everybody uses."""

    PENDING = "PENDING"
    STARTED = "STARTED"
    PROGRESS = "PROGRESS"
    RETRY = "RETRY"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    REVOKED = "REVOKED"
    IGNORED = "IGNORED"


#: A true ending: latched, nothing written later changes it.
ENDED_STATES = frozenset({TaskState.SUCCESS, TaskState.FAILURE, TaskState.REVOKED, TaskState.IGNORED})
#: A worker has the task in its hands; only these have a liveness.
RUNNING_STATES = frozenset({TaskState.STARTED, TaskState.PROGRESS})


class Liveness(StrEnum):
    """Derived when read, never stored, never latched."""

    LIVE = "live"
    STALLED = "stalled"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Message:
    """One line of a task's log.

    Attributes:
        level: ``debug``, ``info``, ``success``, ``warning`` or ``error`` (``django.contrib.messages`` names).
        text: Plain text, already cut and cleaned.
        offset: Its place in the task's log, from 1, contiguous within an epoch; given by the store.
        at: Integer UTC milliseconds; given by the store.
    """

    level: str
    text: str
    offset: int = 0
    at: int = 0


@dataclass(frozen=True, slots=True)
class Stamp:
    """Names one attempt of one task; every guarded write carries it."""

    uid: str
    epoch: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Version:
    """How new a record is, without the record. ``state`` and ``heartbeat_age_ms`` give the liveness."""

    epoch: str
    attempt: int
    seq: int
    state: TaskState
    heartbeat_age_ms: int


@dataclass(frozen=True, slots=True)
class Begun:
    """The store's answer to ``begin``. ``accepted`` is False where the record is latched: ``state`` says how."""

    accepted: bool
    epoch: str
    attempt: int
    state: TaskState
    cancelling: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """The store's answer to a guarded write.

    Attributes:
        accepted: False where the record is latched, newer or gone.
        seq: The record's seq after the write (unchanged where it was refused).
        cancelling: Somebody asked for the task to be cancelled.
        reason: What they gave as the reason.
        missing: There is no such record (any more): begin again.
    """

    accepted: bool
    seq: int = 0
    cancelling: bool = False
    reason: str = ""
    missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """One task as the store has it. Times are integer UTC milliseconds of the store's clock, 0 for none.

    Attributes:
        uid: Celery's task id.
        epoch: Random, made with the record; another epoch is another history.
        attempt: 0 before the first begin.
        seq: Grows by one with each accepted write.
        state: Celery's name.
        body: What the reporter last said (see ``events.BODY_KEYS``); the store does not look into it.
        owner: Who may watch: ``"user:<pk>"``, ``"session:<nonce>"`` or ``""``; never leaves the server.
        delivery: The delivery that the current attempt belongs to; never leaves the server.
        parent: uid of the task that this one belongs to, or ``""``.
        cancelling: Somebody asked for a cancel and the task still runs.
        reason: Why it ended, retries or is being cancelled; safe text.
        retry_at: When the next attempt is due, in state RETRY.
        name: Celery's name of the task, or ``""``; never leaves the server in a frame, nor do the next three.
        worker: Hostname of the worker of the current attempt, or ``""``.
        seen: The owner has seen how it ended.
        dismissed: The owner has taken it off their list.
    """

    uid: str
    epoch: str
    attempt: int
    seq: int
    state: TaskState
    body: Mapping[str, Any]
    owner: str = ""
    delivery: str = ""
    parent: str = ""
    cancelling: bool = False
    reason: str = ""
    created_at: int = 0
    began_at: int = 0
    heartbeat_at: int = 0
    ended_at: int = 0
    retry_at: int = 0
    name: str = ""
    worker: str = ""
    seen: bool = False
    dismissed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentTask:
    """A task that has not ended, and from whose worker nothing was heard for a while.

    Attributes:
        uid: Celery's task id.
        epoch: As in ``TaskRecord``.
        attempt: 0 before the first begin.
        state: One of those that were asked for.
        delivery: That of the current attempt, or ``""``: name it in ``Store.finish``, which then refuses if another
            one has begun meanwhile.
        silent_ms: By the store's clock. A running task: since its last heartbeat. One that waits: since it was
            published, its last heartbeat, or since its next attempt was due, whichever was last.
        created_at: When it was published, integer UTC milliseconds.
        began_at: When the current attempt began, likewise; 0 before the first.
        name: Celery's name of the task, or ``""``.
        worker: Hostname of the worker of the current attempt, or ``""``.
    """

    uid: str
    epoch: str
    attempt: int
    state: TaskState
    delivery: str
    silent_ms: int
    created_at: int
    began_at: int
    name: str
    worker: str


@dataclass(frozen=True, slots=True)
class ListVersion:
    """How new a list of tasks is. ``epoch`` is empty, and ``seq`` 0, where nothing was ever on it."""

    epoch: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """The tasks on one list.

    Attributes:
        records: Newest first, by ``created_at``.
        version: Of the list, not newer than the records: who has it may lack nothing that is older.
        now: The store's clock, integer UTC milliseconds.
    """

    records: tuple[TaskRecord, ...]
    version: ListVersion
    now: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent reading of a task.

    Attributes:
        record: The record.
        messages: Those after the offset asked for, oldest first.
        recovered: False where messages between that offset and the first one here are gone.
        now: The store's clock, integer UTC milliseconds.
    """

    record: TaskRecord
    messages: tuple[Message, ...]
    recovered: bool
    now: int


class CancelOutcome(StrEnum):
    """What became of a request to cancel."""

    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    ENDED = "ended"
    UNKNOWN = "unknown"


def derive_liveness(
    state: TaskState, heartbeat_age_ms: int, *, stalled_after_s: float, lost_after_s: float
) -> Liveness | None:
    """How alive a running task looks by the age of its last heartbeat; None where it does not run."""
    if state not in RUNNING_STATES:
        return None
    if heartbeat_age_ms >= lost_after_s * 1000:
        return Liveness.LOST
    return Liveness.STALLED if heartbeat_age_ms >= stalled_after_s * 1000 else Liveness.LIVE


def list_id(owner: str) -> str:
    """Names the list of this ``TaskRecord.owner``: safe to show, because nobody can tell the owner from it."""
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()[:32]
