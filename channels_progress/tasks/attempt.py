"""One delivery of one task on its way to the store: its begin, its writes, its end.

All methods run on the flusher's thread, except those of ``Sender``.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, replace
from typing import Any

from channels_progress.conf import get_namespace, get_settings, make_pinned_context
from channels_progress.events import encode_json
from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import ENDED_STATES, Begun, Message, Stamp, TaskState, Written
from channels_progress.store.contract import Store
from channels_progress.tasks.outbox import Batch
from channels_progress.tasks.reporter import TaskReporter

#: How long a task waits for the store at its begin, at its end and in ``flush()``; 0 while it is known to be away.
PATIENCE_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The last thing that a delivery has to say, ready to be sent, now or later.

    Attributes:
        begun: The store knows of the delivery.
        body: None where the store has the newest one.
    """

    store: Store
    context: Context
    uid: str
    delivery: str
    owner: str
    parent: str
    name: str
    worker: str
    begun: bool
    state: TaskState
    reason: str
    retry_at: int
    body: str
    messages: tuple[Message, ...]
    numbered_from: int

    def send(self) -> Written:
        """Tell the store, which may refuse it.

        A true ending of a delivery that the store never heard of is begun first, because the record may still say
        that a worker which died has the task in its hands. A retry is not: by now its next delivery may be running.

        Raises:
            StoreUnavailable: The same may be sent again.
        """
        return self.context.run(self._send)

    def _send(self) -> Written:
        is_end = self.state in ENDED_STATES
        if is_end and not self.begun:
            self._begin()
        written = self._finish(begun=self.begun)
        if is_end and written.missing:
            # The record was lost since (FLUSHALL): made again, as a task that goes on would have done.
            self._begin()
            written = self._finish(begun=False)
        return written

    def _begin(self) -> None:
        self.store.begin(
            self.uid,
            delivery=self.delivery,
            owner=self.owner,
            body=self.body,
            parent=self.parent,
            name=self.name,
            worker=self.worker,
        )

    def _finish(self, *, begun: bool) -> Written:
        return self.store.finish(
            self.uid,
            self.state,
            delivery=self.delivery,
            owner=self.owner,
            body=self.body,
            reason=self.reason,
            retry_at=self.retry_at,
            messages=self.messages,
            numbered_from=self.numbered_from,
            name=self.name,
            worker=self.worker,
            begun=begun,
        )

    def without_messages(self) -> Ending:
        """The same, smaller; the store counts its messages as skipped."""
        return replace(self, messages=(), numbered_from=self.numbered_from + len(self.messages))


@dataclass(frozen=True, slots=True)
class End:
    """How an attempt ended, as ``Flusher.finish`` was told."""

    state: TaskState
    reason: str
    retry_at: int


class Attempt:
    """Sends what one reporter says; the reporter's ``Sender``.

    Attributes:
        reporter: The reporter.
        store: Where to, as it was at the start.
        namespace: That of the start, which may depend on the task's thread.
        context: Pins it.
        stamp: Names the attempt once the store has accepted it.
        urgent: It is in the flusher's queue.
        end: How it ended; None while it runs.
        left: Its body is over, and somebody else knows how it ended.
        answered: Set once the begin was answered, with ``reporter.begun``.
        settled: Set once the end was answered, or is kept for later.
        written: The store's answer to the end.
    """

    def __init__(self, reporter: TaskReporter, store: Store, call: Callable[[Attempt], bool]) -> None:
        self.reporter = reporter
        self.store = store
        self.namespace = get_namespace()
        self.context = make_pinned_context(self.namespace)
        self.stamp: Stamp | None = None
        self.urgent = False
        self.end: End | None = None
        self.left = False
        self.answered = threading.Event()
        self.settled = threading.Event()
        self.written: Written | None = None
        self.failed = False
        self._call = call
        self._body = ""
        self._reports = False
        self._unsent = True
        self._refused = False
        self._tired = False
        self._hurries = False
        self._written_at = self._begun_at = 0.0
        # Threads of the task may call ``flush`` at the same time.
        self._flushing: deque[threading.Event] = deque()
        if reporter.begun:
            self._note_begun(reporter.begun)

    def wait_for(self, event: threading.Event) -> None:
        """Let the task wait a short time; not for a store that is away, nor again for a begin that did not come."""
        if self.store.available and (self.answered.is_set() or not self._tired):
            self._tired = not event.wait(PATIENCE_S)

    # The ``Sender``, called from the task's thread.

    def wake(self) -> bool:
        return self._call(self)

    def flush(self) -> None:
        self._flushing.append(flushed := threading.Event())
        if self.wake():
            self.wait_for(flushed)

    # What the flusher calls.

    def report(self, now: float) -> None:
        """Send what has changed. Where the store is away, the next call sends it."""
        flushing = [self._flushing.popleft() for _ in range(len(self._flushing))]
        self._hurries = False
        try:
            self.context.run(self._report, now)
        except StoreUnavailable:
            self._unsent = True
        finally:
            self.answered.set()
            for flushed in flushing:
                flushed.set()

    def is_due(self, now: float, interval_s: float) -> bool:
        """Whether a bar that moved may be sent again. A little early is due, too: timers are not exact."""
        wanted_s = interval_s if self._hurries else max(interval_s, self.store.write_interval_s)
        return now - self._written_at >= 0.9 * wanted_s

    def waits_for_tick(self, now: float, interval_s: float) -> bool:
        """Whether what should be sent at once must wait for the next tick: where writes are dear, and one was made
        just now."""
        is_dear = bool(self.store.write_interval_s and self.stamp and not self.left)
        self._hurries = is_dear and now - self._written_at < 0.9 * interval_s
        return self._hurries

    def note_written(self, written: Written) -> None:
        """Draw the consequences of the store's answer to a write or a heartbeat."""
        if written.cancelling:
            self.reporter.cancel(written.reason)
        if written.missing:
            self.stamp = None
        elif not written.accepted:
            self.stamp, self._refused = None, True
        elif time.monotonic() - self._begun_at > get_settings().RECORD_TTL_S:
            # Begin again: a list forgets a task that nobody begins for some such times (store/lists.py).
            self.stamp = None

    def make_ending(self, end: End, now: float) -> Ending:
        """The end with the last body and all messages."""
        reporter, batch = self.reporter, self.reporter.outbox.take()
        return Ending(
            store=self.store,
            context=self.context,
            uid=reporter.uid,
            delivery=reporter.delivery,
            owner=reporter.owner,
            parent=reporter.parent,
            name=reporter.name,
            worker=reporter.worker,
            begun=bool(reporter.begun),
            state=end.state,
            reason=end.reason,
            retry_at=end.retry_at,
            body=self._sample(now),
            messages=batch.messages,
            numbered_from=batch.numbered_from,
        )

    def _report(self, now: float) -> None:
        if not (self._refused or self.stamp):
            self._begin(now)
        if self.stamp:
            self._write(now)

    def _begin(self, now: float) -> None:
        reporter = self.reporter
        begun = self.store.begin(
            reporter.uid,
            delivery=reporter.delivery,
            owner=reporter.owner,
            body=self._sample(now),
            parent=reporter.parent,
            name=reporter.name,
            worker=reporter.worker,
        )
        # After a loss of the record the page should see more than a bare start again; and where the begin came late the
        # task has reported already, and is not only STARTED.
        self._unsent = bool(reporter.begun) or self._reports
        self._note_begun(begun)

    def _note_begun(self, begun: Begun) -> None:
        self.reporter.begun = begun
        self._begun_at = time.monotonic()
        if begun.accepted:
            self.stamp = Stamp(self.reporter.uid, begun.epoch, begun.attempt)
        else:
            self._refused = True
        if begun.cancelling or (begun.state is TaskState.REVOKED and not begun.accepted):
            self.reporter.cancel(begun.reason)

    def _write(self, now: float) -> None:
        before = self._body
        body, batch = self._sample(now), self.reporter.outbox.take()
        if body == before and not (batch.messages or self._unsent):
            return
        assert self.stamp  # noqa: S101
        self._written_at = time.monotonic()
        written = self.store.write(self.stamp, body=body, messages=batch.messages, numbered_from=batch.numbered_from)
        self._unsent = False
        if written.accepted:
            self._confirm(batch)
        self.note_written(written)

    def _confirm(self, batch: Batch) -> None:
        self.reporter.outbox.confirm(batch)
        if len(self.reporter.outbox):
            self.wake()

    def _sample(self, now: float) -> str:
        body: dict[str, Any] | None = self.reporter.sample(now)
        if body is not None or not self._body:
            self._body = encode_json(body or {})
            self._reports = bool((body or {}).keys() - {"title"})
        return self._body
