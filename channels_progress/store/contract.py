"""What a store promises. Every store passes the same tests (``tests/store/``).

A record moves like this (``*`` marks a latched state; only a *new* publish, in ``create``, leaves one):

    PENDING ──begin──► STARTED ──write──► PROGRESS ──finish──► SUCCESS* FAILURE* REVOKED* IGNORED*
       ▲                  ▲                   │
       │                  └──begin── RETRY ◄──┤ finish(RETRY)
       └──────── finish(PENDING): requeued ◄──┘

- Each ``begin`` of a delivery not seen before opens the next attempt; writes of older attempts are refused.
- Between ``finish(RETRY)`` or ``finish(PENDING)`` and the next ``begin`` no write is accepted. Where a cancel was
  asked for, such a finish makes REVOKED instead: a cancel means the same just before it and just after.
- All times are the store's own clock, never the caller's.
- Every accepted change increments ``seq`` and announces a hint: a complete task frame (``events.task_frame`` with
  liveness ``live`` while running) that carries just the messages of that write. ``heartbeat`` and ``mark`` change
  neither.
- The tasks of a person are on their list, all tasks on that of everybody (:mod:`channels_progress.store.lists`). A
  person's list announces each new version with a hint on ``events.list_channel(owner)``: an ``events.list_frame``.
- Every method raises ``StoreUnavailable`` (chained from the cause) when the store did not answer in time, and may
  be called again with the same arguments without harm.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from channels_progress.records import (
    RUNNING_STATES,
    Begun,
    CancelOutcome,
    Listing,
    ListVersion,
    Message,
    SilentTask,
    Snapshot,
    Stamp,
    TaskState,
    Version,
    Written,
)

#: Called with (channel, replaceable, text) for each hint: ``text`` is a whole frame; ``replaceable`` is False where
#: it carries messages, so that a newer frame must not take its place. Always called in the feed's event loop.
OnHint = Callable[[str, bool, str], None]


class Feed(Protocol):
    """Hints of the joined channels, for one event loop."""

    async def join(self, channel: str) -> None:
        """Receive the hints of ``channel``; returns once the subscription is in force.

        Raises:
            StoreUnavailable: Not in force in time. The channel stays joined: ``on_gap`` tells when it is.
        """

    async def leave(self, channel: str) -> None:
        """Stop receiving them. Unknown channels are ignored."""

    async def run(self) -> None:
        """Deliver hints until cancelled. Reconnects by itself and rejoins; never raises for a lost connection."""

    async def close(self) -> None:
        """Release the connection."""


class Store(Protocol):
    """Keeps one record per task. Methods are synchronous and thread-safe; the hub calls them in threads."""

    @property
    def available(self) -> bool:
        """Whether a call would be tried; False while calls fail at once after a failure. Does no I/O."""

    @property
    def write_interval_s(self) -> float:
        """A task should be written at most once in this time, if that is longer than ``REPORT_INTERVAL_S``; what cannot
        wait for that (messages, stages) at most once per ``REPORT_INTERVAL_S``. 0: written as often as need be."""

    @property
    def resync_s(self) -> float:
        """How often to look for what no hint has told: ``RESYNC_S``, or less where hints cannot be relied on."""

    def create(
        self, uid: str, *, owner: str, body: str, parent: str = "", inside: bool = False, name: str = ""
    ) -> None:
        """A message for ``uid`` is about to be published.

        Absent: a new record in PENDING. Present and not latched: kept, and marked as published again. Latched:
        kept where ``inside`` (published from inside the task itself: a retry, ``replace``), else a new epoch.

        Args:
            owner: See ``TaskRecord.owner``.
            body: JSON object text, the first body.
            parent: uid of the task it belongs to.
            inside: Whether the task itself publishes.
            name: Celery's name of the task.
        """

    def begin(
        self,
        uid: str,
        *,
        delivery: str,
        owner: str,
        body: str,
        parent: str = "",
        name: str = "",
        worker: str = "",
    ) -> Begun:
        """A worker begins a delivery: the next attempt, in STARTED, with ``body``.

        Idempotent: a delivery among the last 8 seen gets the attempt it had. Creates the record where it is
        missing. Refused where it is latched. Puts the task back on its lists where they have lost it, also for a
        delivery seen before: begin again after each ``RECORD_TTL_S``.

        Args:
            name: Celery's name of the task; empty keeps the one known.
            worker: Hostname of the worker.
        """

    def write(
        self, stamp: Stamp, *, body: str, messages: Sequence[Message] = (), skipped: int = 0, numbered_from: int = 0
    ) -> Written:
        """Report progress: accepted while ``stamp`` is the running attempt.

        Args:
            body: JSON object text, replaces the former body.
            messages: Appended to the log; the store gives them offset and time.
            skipped: How many messages before these were dropped by the sender; their offsets stay empty.
            numbered_from: The sender's own number of ``messages[0]`` (of the next one, where there are none),
                counted from 1 over all messages of the attempt, dropped ones too. With it a call may be repeated
                after a timeout: what was taken already is not taken again, and ``skipped`` need not be given. 0: not
                numbered.
        """

    def finish(
        self,
        uid: str,
        state: TaskState,
        *,
        delivery: str = "",
        owner: str = "",
        body: str | None = None,
        reason: str = "",
        retry_at: int = 0,
        messages: Sequence[Message] = (),
        skipped: int = 0,
        numbered_from: int = 0,
        name: str = "",
        worker: str = "",
        begun: bool = False,
    ) -> Written:
        """An attempt is over: an ending (latched), or RETRY or PENDING (requeued), which wait for the next begin.

        Refused where the record is latched, where a delivery other than ``delivery`` is running, or where
        ``delivery`` is over already: finished before, superseded, or of a former epoch. An empty ``delivery``
        (unknown) is never refused for that. Where the record is missing an ending makes a latched one, unless
        ``begun``.
        ``IGNORED`` after another publish of the uid since begin becomes PENDING: somebody else will finish it.

        Args:
            body: None keeps the former body.
            reason: Empty, for REVOKED: the reason given with the request to cancel.
            retry_at: For RETRY, UTC milliseconds; 0 if unknown.
            messages, skipped, numbered_from: As in ``write``.
            owner, name, worker: For a record that is made here.
            begun: The caller knows that this delivery has begun. A record that is missing was lost, then: none is made,
                and the answer says ``missing``: begin again, and finish again.
        """

    def heartbeat(self, stamps: Sequence[Stamp]) -> list[Written]:
        """These attempts are alive: renews their TTL and heartbeat in one round trip. Answers in the same order."""

    def read(self, uid: str, *, since: tuple[str, int] | None = None) -> Snapshot | None:
        """The record with the messages after ``since`` (epoch, offset), or with all that are kept. None: no record."""

    def versions(self, uids: Sequence[str]) -> list[Version | None]:
        """How new each record is, in one round trip."""

    def request_cancel(self, uid: str, *, reason: str = "") -> CancelOutcome:
        """Ask for a cancel. A running task learns it with its next write or heartbeat; a waiting one (PENDING,
        RETRY) is REVOKED at once."""

    def list_for(self, owner: str | None, *, limit: int = 50) -> Listing:
        """The newest tasks of this ``TaskRecord.owner`` without the dismissed ones; None: of everybody, with them.

        At most ``LISTED_PER_PERSON``, or ``LISTED_FOR_STAFF``, are remembered.
        """

    def list_versions(self, list_ids: Sequence[str]) -> list[ListVersion | None]:
        """How new each person's list is (``records.list_id``), in one round trip. None: there is no list."""

    def mark(self, uid: str, *, seen: bool = False, dismissed: bool = False, epoch: str = "") -> bool:
        """The owner has seen how a task ended, or takes it off their list. A mark stays until the next epoch.

        Args:
            epoch: Only if the record is still of this epoch; empty: of whatever epoch.

        Returns whether that changed anything: False where there is no such record, or it has not ended.
        """

    def find_silent(
        self, *, older_than_s: float, limit: int = 100, states: Collection[TaskState] = RUNNING_STATES
    ) -> list[SilentTask]:
        """Tasks that were last heard from so many seconds ago, or earlier; those that are silent longest first.

        For whoever looks for endings that nobody could report, now and then: it costs more than other calls. Finds
        at least the silent ones among the ``LISTED_FOR_STAFF`` tasks that were published or begun last.

        Args:
            limit: At most so many; the next call finds others only after these have ended.
            states: Those of interest; ``ENDED_STATES`` are never found. Without RUNNING_STATES: those that wait.
        """

    def purge(self, *, limit: int = 1_000) -> int:
        """Remove what has expired, where that does not happen by itself (Redis does it), at most ``limit`` records.

        May leave some where time is short. Returns how many records were removed: call again until that is 0.
        """

    def open_feed(self, on_hint: OnHint, on_gap: Callable[[], None]) -> Feed:
        """A feed for the running event loop. ``on_gap`` is called after hints may have been lost."""

    def close(self) -> None:
        """Release connections of this process."""
