"""The flusher: the one thread of a process that talks to the store for its running tasks.

A task's thread never does I/O for a report. It leaves values in its reporter and an ``Attempt`` in a queue; the
flusher samples all live attempts every ``REPORT_INTERVAL_S`` and sends what changed, and those in the queue at once.

The states of an attempt, and what may come in between:

    started ──► begun ──► (writes) ──► ended ──► settled; or left: the body is over, others tell how
       │          ▲ └─ refused: latched or superseded; it says nothing more, but its end is still tried
       │          └─── missing: the record is gone (FLUSHALL, a Redis restarted empty); begin again, then all of it
       └─ unanswered: the store is away or slow; the task goes on, and every turn tries again

- *Order.* One thread makes all calls of an attempt, so its begin precedes its writes, and these its end.
- *The end comes while the begin is unanswered.* A true ending begins first, a retry does not (``Ending.send``).
- *The store is away at the end.* The ending is kept, at most ``ENDINGS_KEPT`` of them, and sent in order once it is
  back. ``drain`` waits for that, within a budget, where the process is about to leave.
- *The answer is lost.* A call that timed out is repeated; delivery and message numbers tell the store that it had it.
- *A cancel.* The answers to begin, write and heartbeat carry it. The flusher only sets a flag in the reporter.
- *Nothing changes.* The heartbeat says that the attempts are alive, all of them in one round trip, and brings cancels.
- *Fork.* The thread starts with the first ``start``: never in the parent of a prefork pool, which runs no tasks. The
  child of a task that forks has no thread and new events (the old ones may be locked for ever); reporters that it
  inherited are the parent's, and say nothing in the child.
- *Shutdown.* The thread is a daemon and keeps no process alive. What it had not sent is lost, unless somebody drains.
- *A mistake.* Whatever goes wrong with one attempt is logged once for it, with its traceback; the others go on.

``threading`` is all that is used, so that under gevent's monkey-patching the thread is a greenlet, its events and
sockets yield to others, and all of this holds there, too: a native thread beside gevent's loop made workers hang at
shutdown. A greenlet only runs while the others wait; ``TaskReporter`` sees to that where a task never does.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from weakref import WeakSet

from django.core.exceptions import ImproperlyConfigured

from channels_progress.conf import get_settings
from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import Begun, TaskState, Written
from channels_progress.store import Store, get_store
from channels_progress.tasks.attempt import Attempt, End, Ending
from channels_progress.tasks.complaints import complain
from channels_progress.tasks.reporter import TaskReporter

logger = logging.getLogger("channels_progress")

#: Endings that wait for a store which is away, per process; beyond that the oldest are dropped.
ENDINGS_KEPT = 1_000
#: Beyond that endings wait without their messages, to keep memory bounded.
ENDINGS_WITH_MESSAGES = 100

#: All flushers of this process; but for tests there is one.
_flushers: WeakSet[Flusher] = WeakSet()


class Flusher:
    """Sends what the reporters of this process say. All public methods may be called from any thread."""

    def __init__(self, get_store: Callable[[], Store] = get_store) -> None:
        self._get_store = get_store
        self._start_afresh()
        _flushers.add(self)

    def _start_afresh(self) -> None:
        self._era = object()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._news = threading.Event()
        self._turned = threading.Event()
        self._calls: deque[Attempt] = deque()
        self._live: set[Attempt] = set()
        self._endings: deque[Ending] = deque(maxlen=ENDINGS_KEPT)
        self._dropped = 0
        self._next_tick = self._next_beat = 0.0
        self._stumbled = False

    # Called from the tasks' threads.

    def start(self, reporter: TaskReporter) -> Begun | None:
        """Begin the reporter's delivery, and send what it says from now on.

        Returns the store's answer; None where it did not come in time: the task goes on, and the flusher tries again.
        """
        attempt = self._find_attempt(reporter)
        if attempt is None:
            return None
        if attempt.wake():
            attempt.wait_for(attempt.answered)
        return reporter.begun

    def finish(
        self, reporter: TaskReporter, state: TaskState, *, reason: str = "", retry_at: int = 0
    ) -> Written | None:
        """The reporter's delivery is over: send its last values and messages with the end.

        Args:
            retry_at: For RETRY, UTC milliseconds; 0 if unknown.

        Returns the store's answer; None where it did not come in time: the end is kept and tried again.
        """
        attempt = self._find_attempt(reporter)
        if attempt is None:
            return None
        attempt.end = End(state, reason, retry_at)
        if attempt.wake():
            attempt.wait_for(attempt.settled)
        reporter.sender = None
        return attempt.written

    def leave(self, reporter: TaskReporter) -> None:
        """The reporter's body is over, and others tell how: send its last values, and no heartbeat any more."""
        if isinstance(attempt := reporter.sender, Attempt):
            attempt.left = True
            attempt.wake()
            reporter.sender = None

    def drain(self, budget_s: float) -> bool:
        """Wait until nothing is left to be sent, ``budget_s`` seconds at most. Returns whether that is so."""
        deadline = time.monotonic() + budget_s
        self._news.set()
        while self._is_pending():
            self._turned.clear()
            if not self._is_pending() or not self._turned.wait(deadline - time.monotonic()):
                break
        return not self._is_pending()

    def _find_attempt(self, reporter: TaskReporter) -> Attempt | None:
        if isinstance(reporter.sender, Attempt):
            return reporter.sender
        try:
            reporter.sender = attempt = Attempt(reporter, self._get_store(), partial(self._call, self._era))
        except ImproperlyConfigured as error:
            complain(error)
            return None
        except Exception:
            # A task must not fail because of its progress display.
            logger.exception("No store for the progress of task %s", reporter.uid)
            return None
        return attempt

    def _call(self, era: object, attempt: Attempt) -> bool:
        """Attend to ``attempt`` at once. Returns whether anybody will: not in a fork's child, which inherited it."""
        if era is not self._era:
            return False
        if not attempt.urgent:
            attempt.urgent = True
            self._calls.append(attempt)
        self._news.set()
        if self._thread is None or not self._thread.is_alive():
            self._start_thread()
        return True

    def _start_thread(self) -> None:
        with self._guard:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="channels_progress.flusher", daemon=True)
                self._thread.start()

    def _is_pending(self) -> bool:
        return bool(self._calls or self._endings)

    # The flusher's thread.

    def _run(self) -> None:
        while True:
            self._news.wait(self._find_delay())
            self._news.clear()
            try:
                self._turn(time.monotonic())
            except Exception:
                self._next_tick = time.monotonic() + 1
                if not self._stumbled:
                    logger.exception("The flusher of task progress stumbled; it goes on")
                self._stumbled = True
            self._turned.set()

    def _find_delay(self) -> float | None:
        if self._live or self._endings:
            return max(0.0, self._next_tick - time.monotonic())
        return None

    def _turn(self, now: float) -> None:
        self._retry_endings()
        # An attempt stays in the queue until it is attended to, so that ``drain`` can see it.
        for _ in range(len(self._calls)):
            self._attend(self._calls[0], now)
            self._calls.popleft()
        if now >= self._next_tick:
            interval_s = get_settings().REPORT_INTERVAL_S
            self._next_tick = now + interval_s
            for attempt in [attempt for attempt in self._live if attempt.is_due(now, interval_s)]:
                self._report(attempt, now)
            if now >= self._next_beat:
                self._beat(now)

    def _attend(self, attempt: Attempt, now: float) -> None:
        # Before its values are read: a call that comes from here on queues it again.
        attempt.urgent = False
        if attempt.end:
            self._settle(attempt, attempt.end, now)
            return
        if not self._live:
            self._next_beat = now + get_settings().HEARTBEAT_S
        self._live.add(attempt)
        if not attempt.waits_for_tick(now, get_settings().REPORT_INTERVAL_S):
            self._report(attempt, now)
        if attempt.left:
            self._live.discard(attempt)

    def _report(self, attempt: Attempt, now: float) -> None:
        try:
            attempt.report(now)
        except Exception:
            if not attempt.failed:
                logger.exception("Could not report the progress of task %s", attempt.reporter.uid)
            attempt.failed = True

    def _settle(self, attempt: Attempt, end: End, now: float) -> None:
        self._live.discard(attempt)
        try:
            ending = attempt.make_ending(end, now)
            try:
                attempt.written = ending.send()
            except StoreUnavailable:
                self._keep(ending)
        except Exception:
            logger.exception("Could not report the end of task %s", attempt.reporter.uid)
        attempt.answered.set()
        attempt.settled.set()

    def _keep(self, ending: Ending) -> None:
        if len(self._endings) == ENDINGS_KEPT:
            if not self._dropped:
                logger.warning("The end of task %s is dropped: too many wait for the store", self._endings[0].uid)
            self._dropped += 1
        self._endings.append(ending if len(self._endings) < ENDINGS_WITH_MESSAGES else ending.without_messages())

    def _retry_endings(self) -> None:
        for _ in range(len(self._endings)):
            ending = self._endings[0]
            try:
                ending.send()
            except StoreUnavailable:
                if not ending.store.available:
                    return
                # Only this one is refused (its key may be spoilt): the others need not wait for it.
                self._endings.rotate(-1)
                continue
            except Exception:
                logger.exception("Could not report the end of task %s", ending.uid)
            self._endings.popleft()
        if self._dropped and not self._endings:
            logger.warning("The ends of %d tasks were dropped while the store was away", self._dropped)
            self._dropped = 0

    def _beat(self, now: float) -> None:
        """Say that the live attempts are alive; where the store is away, the next tick tries again."""
        groups: dict[tuple[int, str], list[Attempt]] = {}
        for attempt in self._live:
            if attempt.stamp:
                groups.setdefault((id(attempt.store), attempt.namespace), []).append(attempt)
        for attempts in groups.values():
            try:
                stamps = [attempt.stamp for attempt in attempts if attempt.stamp]
                answers = attempts[0].context.run(attempts[0].store.heartbeat, stamps)
            except StoreUnavailable:
                return
            for attempt, written in zip(attempts, answers, strict=True):
                attempt.note_written(written)
        self._next_beat = now + get_settings().HEARTBEAT_S


_flusher = Flusher()


def get_flusher() -> Flusher:
    """The flusher of this process."""
    return _flusher


def _reset_in_child() -> None:
    for flusher in list(_flushers):
        flusher._start_afresh()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)
