"""The reporter that a Celery task is given."""

from __future__ import annotations

import sys
import threading
import time
from typing import Protocol

from channels_progress.conf import get_settings
from channels_progress.records import Begun, Message
from channels_progress.tasks.bar import BARRED, Bar
from channels_progress.tasks.outbox import Outbox
from channels_progress.tasks.reporting import Reporter
from channels_progress.tasks.stages import StageWeights

#: How long a greenlet lets the others run: enough for the flusher to write, 1% of the time between two reports.
REST_S = 0.001


class Sender(Protocol):
    """Carries what a reporter says to the store."""

    def wake(self) -> bool:
        """Something is to be sent at once. Returns whether anybody will send it."""

    def flush(self) -> None:
        """Send what is pending; return when it is sent, or after a short time."""


class TaskReporter(Reporter):
    """Reports one delivery of a task to the store, by way of the process's flusher.

    Under gevent and eventlet a greenlet runs until it waits. A task that computes would leave no time to the flusher,
    the worker and the other tasks: so its calls rest now and then, and take the slow path to find out when.

    Attributes:
        uid: Celery's task id.
        delivery: Names this delivery of the message; random.
        owner: See ``TaskRecord.owner``.
        parent: uid of the task that this one belongs to, or ``""``.
        name: Celery's name of the task, or ``""``.
        worker: Hostname of the worker, or ``""``.
        begun: The store's answer to the begin; None while it is not known.
        outbox: The messages that the store has not taken yet.
        sender: Who carries all this; None before ``Flusher.start`` and after the end.
    """

    def __init__(
        self,
        uid: str,
        *,
        delivery: str,
        owner: str = "",
        title: str = "",
        parent: str = "",
        name: str = "",
        worker: str = "",
        stages: StageWeights | None = None,
        begun: Begun | None = None,
    ) -> None:
        super().__init__(title=title, stages=stages)
        self.uid = uid
        self.delivery = delivery
        self.owner = owner
        self.parent = parent
        self.name = name
        self.worker = worker
        self.begun = begun
        self.outbox = Outbox(get_settings().MESSAGES_KEPT)
        self.sender: Sender | None = None
        self._rests = are_threads_greenlets()
        self._rest_at = 0.0
        self._show(self._bar)

    def _show(self, bar: Bar) -> None:
        super()._show(bar)
        if self._rests:
            bar.least = BARRED
            self._alert = True

    def _look_up(self) -> Bar:
        if self._rests and time.monotonic() >= self._rest_at and threading.get_ident() == self.thread:
            time.sleep(REST_S)
            self._rest_at = time.monotonic() + get_settings().REPORT_INTERVAL_S
        return super()._look_up()

    def _say(self, message: Message) -> None:
        self.outbox.put(message)
        self._wake()

    def _wake(self) -> None:
        if sender := self.sender:
            sender.wake()

    def flush(self) -> None:
        super().flush()
        if sender := self.sender:
            sender.flush()


def are_threads_greenlets() -> bool:
    """Whether gevent or eventlet has taken the place of threads, as in a worker with such a pool."""
    gevent, eventlet = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    if gevent is not None and gevent.is_module_patched("threading"):
        return True
    return eventlet is not None and bool(eventlet.is_monkey_patched("thread"))
