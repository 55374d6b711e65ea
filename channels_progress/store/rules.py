"""What each operation does to a record, for stores that decide in Python; the Redis scripts follow the same rules.

The races they settle:

- *A begin arrives twice, or late.* The last deliveries are remembered with the attempt each had, also after a finish
  and over a new epoch: a delivery that was seen changes nothing any more.
- *A finish meets a write or another finish.* Only the running attempt writes; only the delivery in hand finishes, and
  only once. A delivery that was never seen (its begin was lost) may end a record that waits, not one that runs.
- *A publish meets IGNORED.* ``self.replace()`` publishes under the same uid before it ignores itself: the mark that
  ``create`` leaves turns IGNORED into PENDING. If the replacement has begun already, its begin took the mark away
  and made the original a former delivery, which is refused.
- *A call is repeated after a timeout that was executed after all.* Deliveries and message numbers tell.
- *A cancel meets the end of an attempt.* Just before or just after, the result is REVOKED.
"""

from __future__ import annotations

import json
import secrets
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from channels_progress.records import (
    ENDED_STATES,
    RUNNING_STATES,
    Begun,
    CancelOutcome,
    Message,
    SilentTask,
    Snapshot,
    Stamp,
    TaskRecord,
    TaskState,
    Version,
    Written,
)
from channels_progress.store.lists import make_note

#: What ``finish`` takes: an ending, or a wait for the next begin.
FINISHED_STATES = ENDED_STATES | {TaskState.RETRY, TaskState.PENDING}
NOT_AN_OBJECT = "body is not the JSON text of an object."
#: How many deliveries of a task are remembered.
DELIVERIES_REMEMBERED = 8

Since = tuple[str, int] | None


class Batch(NamedTuple):
    """Messages of one call, as ``Store.write`` takes them."""

    messages: Sequence[Message] = ()
    skipped: int = 0
    numbered_from: int = 0

    def fit(self, kept: int) -> Batch:
        """The same without those that the log, which keeps ``kept``, would drop at once: they count as skipped."""
        surplus = len(self.messages) - kept
        if surplus <= 0:
            return self
        return Batch(
            self.messages[surplus:], self.skipped + surplus, self.numbered_from and self.numbered_from + surplus
        )


class SeenDelivery(NamedTuple):
    """A delivery that has begun, or that ended without a begin."""

    delivery: str
    epoch: str
    attempt: int


@dataclass(slots=True, kw_only=True)
class Entry:
    """A record that changes in place. ``seq`` grows exactly when a page should hear of it.

    Attributes not in ``TaskRecord``:
        republished: A message for this uid was published since the begin.
        offset: That of the newest message.
        base: ``offset`` when the attempt began: message number n of the attempt has offset ``base + n``.
        deliveries: The last ones seen, oldest first.
    """

    epoch: str
    owner: str
    parent: str
    body: Mapping[str, Any]
    created_at: int
    attempt: int = 0
    seq: int = 0
    state: TaskState = TaskState.PENDING
    delivery: str = ""
    cancelling: bool = False
    reason: str = ""
    began_at: int = 0
    heartbeat_at: int = 0
    ended_at: int = 0
    retry_at: int = 0
    name: str = ""
    worker: str = ""
    seen: bool = False
    dismissed: bool = False
    republished: bool = False
    offset: int = 0
    base: int = 0
    messages: deque[Message] = field(default_factory=deque)
    deliveries: deque[SeenDelivery] = field(default_factory=lambda: deque(maxlen=DELIVERIES_REMEMBERED))

    @property
    def latched(self) -> bool:
        """It has ended; nothing changes it any more."""
        return self.state in ENDED_STATES

    @property
    def running(self) -> bool:
        """A worker has it in its hands."""
        return self.state in RUNNING_STATES

    def find_due(self, now: int) -> int:
        """From when on its TTL counts: now, or when the next attempt is due, if that is later."""
        return max(now, self.retry_at) if self.state is TaskState.RETRY else now

    @property
    def note(self) -> str:
        """What its lists note of it."""
        return make_note(self.epoch, seen=self.seen, dismissed=self.dismissed)

    def find_delivery(self, delivery: str) -> SeenDelivery | None:
        """The delivery as it was seen; an unnamed one never was."""
        return next((seen for seen in self.deliveries if delivery and seen.delivery == delivery), None)

    def begin(self, delivery: str, body: Mapping[str, Any], now: int, *, name: str, worker: str) -> Begun:
        """See ``Store.begin``, for a record that is there."""
        if self.latched:
            return Begun(False, self.epoch, self.attempt, self.state, reason=self.reason)
        if not (seen := self.find_delivery(delivery)):
            self.name, self.worker = name or self.name, worker
            seen = self._open_attempt(delivery, body, now)
        return Begun(True, seen.epoch, seen.attempt, self.state, self.cancelling, self.reason)

    def _open_attempt(self, delivery: str, body: Mapping[str, Any], now: int) -> SeenDelivery:
        self.attempt += 1
        self.seq += 1
        self.state, self.body = TaskState.STARTED, body
        self.began_at = self.heartbeat_at = now
        self.ended_at = self.retry_at = 0
        self.republished = False
        if not self.cancelling:
            self.reason = ""
        return self._hand_to(delivery)

    def _hand_to(self, delivery: str) -> SeenDelivery:
        self.delivery, self.base = delivery, self.offset
        seen = SeenDelivery(delivery, self.epoch, self.attempt)
        if delivery:
            self.deliveries.append(seen)
        return seen

    def write(self, stamp: Stamp, body: Mapping[str, Any], batch: Batch, now: int) -> Written:
        """See ``Store.write``."""
        if not self._is_running(stamp):
            return self._answer(False)
        self.seq += 1
        self.state, self.body, self.heartbeat_at = TaskState.PROGRESS, body, now
        self._log(batch, now)
        return self._answer(True)

    def beat(self, stamp: Stamp, now: int) -> Written:
        """See ``Store.heartbeat``, for one attempt."""
        if accepted := self._is_running(stamp):
            self.heartbeat_at = now
        return self._answer(accepted)

    def _is_running(self, stamp: Stamp) -> bool:
        return self.running and (self.epoch, self.attempt) == (stamp.epoch, stamp.attempt)

    def _answer(self, accepted: bool) -> Written:
        return Written(accepted, self.seq, self.cancelling, self.reason if self.cancelling else "")

    def _log(self, batch: Batch, now: int) -> None:
        messages, skipped, numbered_from = batch
        if numbered_from:
            skipped = numbered_from - (self.offset - self.base + 1)
            messages = messages[max(0, -skipped) :]
        self.offset += max(0, skipped)
        for message in messages:
            self.offset += 1
            self.messages.append(replace(message, offset=self.offset, at=now))

    def finish(
        self,
        state: TaskState,
        delivery: str,
        now: int,
        *,
        body: Mapping[str, Any] | None,
        reason: str,
        retry_at: int,
        batch: Batch,
    ) -> Written:
        """See ``Store.finish``, for a record that is there."""
        if self.latched or not self._may_finish(delivery):
            return self._answer(False)
        if delivery and delivery != self.delivery:
            self._hand_to(delivery)
        if state is TaskState.IGNORED and self.republished:
            state = TaskState.PENDING
        if self.cancelling and (state not in ENDED_STATES or (state is TaskState.REVOKED and not reason)):
            state, reason = TaskState.REVOKED, self.reason
        self.seq += 1
        self.state, self.reason, self.cancelling = state, reason, False
        self.body = self.body if body is None else body
        self.retry_at = retry_at if state is TaskState.RETRY else 0
        self.ended_at = now if state in ENDED_STATES else 0
        self._log(batch, now)
        return self._answer(True)

    def _may_finish(self, delivery: str) -> bool:
        if not delivery:
            return True
        if self.running:
            return delivery == self.delivery
        return self.find_delivery(delivery) is None

    def request_cancel(self, reason: str, now: int) -> CancelOutcome:
        """See ``Store.request_cancel``."""
        if self.latched:
            return CancelOutcome.ENDED
        if self.running and self.cancelling:
            return CancelOutcome.CANCELLING
        self.seq += 1
        self.reason = reason
        if self.running:
            self.cancelling = True
            return CancelOutcome.CANCELLING
        self.state, self.ended_at, self.retry_at = TaskState.REVOKED, now, 0
        return CancelOutcome.CANCELLED

    def mark(self, *, seen: bool, dismissed: bool) -> bool:
        """See ``Store.mark``: whether that changed anything."""
        before = self.seen, self.dismissed
        self.seen, self.dismissed = self.seen or seen, self.dismissed or dismissed
        return before != (self.seen, self.dismissed)

    def as_record(self, uid: str) -> TaskRecord:
        """The record of this task as everybody reads it."""
        return TaskRecord(
            uid=uid, epoch=self.epoch, attempt=self.attempt, seq=self.seq, state=self.state, body=self.body,
            owner=self.owner, delivery=self.delivery, parent=self.parent, cancelling=self.cancelling,
            reason=self.reason, created_at=self.created_at, began_at=self.began_at, heartbeat_at=self.heartbeat_at,
            ended_at=self.ended_at, retry_at=self.retry_at, name=self.name, worker=self.worker, seen=self.seen,
            dismissed=self.dismissed,
        )  # fmt: skip

    def as_version(self, now: int) -> Version:
        """How new the record is, by the clock ``now`` of the store."""
        return Version(self.epoch, self.attempt, self.seq, self.state, heartbeat_age(self.heartbeat_at, now))

    def as_silent(self, uid: str, now: int) -> SilentTask:
        heard_at = find_last_sign(self.state, self.created_at, self.heartbeat_at, self.retry_at)
        return SilentTask(
            uid=uid, epoch=self.epoch, attempt=self.attempt, state=self.state, delivery=self.delivery,
            silent_ms=now - heard_at, created_at=self.created_at, began_at=self.began_at, name=self.name,
            worker=self.worker,
        )  # fmt: skip


def make_entry(owner: str, body: Mapping[str, Any], now: int, *, parent: str = "", **known: str) -> Entry:
    """A new record, of a new epoch. ``known``: ``name`` and ``worker``."""
    epoch = secrets.token_hex(8)
    return Entry(epoch=epoch, owner=owner, parent=parent, body=body, created_at=now, **known)  # type: ignore[arg-type]


def take_snapshot(uid: str, entry: Entry, since: Since, now: int) -> Snapshot:
    """What a reader who comes from ``since`` gets, of the messages that ``entry`` has."""
    start, known = find_start(since, entry.epoch, entry.offset)
    messages = tuple(message for message in entry.messages if message.offset > start)
    return Snapshot(entry.as_record(uid), messages, known and len(messages) == entry.offset - start, now)


def find_last_sign(state: TaskState, created_at: int, heartbeat_at: int, retry_at: int) -> int:
    """When somebody was last known to care for a task; see ``SilentTask.silent_ms``."""
    return heartbeat_at if state in RUNNING_STATES else max(created_at, heartbeat_at, retry_at)


def pick_silent(tasks: Iterable[SilentTask], older_than_s: float, limit: int) -> list[SilentTask]:
    """Those that are silent for so long, the longest first."""
    silent = [task for task in tasks if task.silent_ms >= older_than_s * 1000]
    return sorted(silent, key=lambda task: task.silent_ms, reverse=True)[:limit]


def heartbeat_age(heartbeat_at: int, now: int) -> int:
    """Milliseconds since the last heartbeat; 0 where there was none yet."""
    return now - heartbeat_at if heartbeat_at else 0


def find_start(since: Since, epoch: str, offset: int) -> tuple[int, bool]:
    """The offset after which to replay, and whether the reader can have come from there.

    Another epoch, or none, is replayed from its start; so is an offset that was never given.
    """
    if since is None or since[0] != epoch:
        return 0, True
    return (since[1], True) if 0 <= since[1] <= offset else (0, False)


def check_finished(state: TaskState) -> TaskState:
    """``state``, or ``ValueError`` where an attempt does not end in it."""
    if state not in FINISHED_STATES:
        raise ValueError(f"A task cannot finish as {state!r}; one of {', '.join(sorted(FINISHED_STATES))} is expected.")
    return TaskState(state)


def parse_body(body: str) -> dict[str, Any]:
    """The object in a body's JSON text; ``ValueError`` where it is something else."""
    try:
        value = json.loads(body)
    except ValueError as error:
        raise ValueError(NOT_AN_OBJECT) from error
    if not isinstance(value, dict):
        # The argument is a text, as it should be; it is the text's value that is wrong.
        raise ValueError(NOT_AN_OBJECT)  # noqa: TRY004
    return value
