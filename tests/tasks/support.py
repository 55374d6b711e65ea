"""Short ways to drive reporters and flushers in tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import Snapshot
from channels_progress.store import Store
from channels_progress.tasks.reporter import TaskReporter
from channels_progress.tasks.reporting import Reporter

UID = "5b1d7bb4-3a8c-4f3b-8f2e-0c9d7d0a5c11"


def make_reporter(delivery: str = "d1", uid: str = UID, **options: Any) -> TaskReporter:
    return TaskReporter(uid, delivery=delivery, owner="user:1", **options)


class Sampled:
    """The body a reporter has now, however often it is asked."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._body: dict[str, Any] = {}

    def __call__(self, *names: str) -> Any:
        """The body without times; with names the values of these."""
        self._body = self._reporter.sample(time.monotonic()) or self._body
        if names:
            return tuple(self._body.get(name) for name in names)
        return {name: value for name, value in self._body.items() if name not in {"rate", "eta_s"}}


def snapshot_of(store: Store, uid: str = UID) -> Snapshot:
    snapshot = store.read(uid)
    assert snapshot
    return snapshot


def texts_of(store: Store, uid: str = UID) -> list[str]:
    """The log; empty also where there is no record yet."""
    snapshot = store.read(uid)
    return [message.text for message in snapshot.messages] if snapshot else []


class FaultyStore:
    """A store whose calls can be made to fail or to wait at will: faults that a real one shows only by chance.

    Attributes:
        calls: Names of the calls made, in order, failed ones too.
        fault: Called with the name of each call before it; may raise.
        fault_after: The same, after the store has done it: its answer gets lost.
        available: What ``Store.available`` answers.
    """

    write_interval_s = 0.0

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: list[str] = []
        self.fault: Callable[[str], None] = lambda name: None
        self.fault_after: Callable[[str], None] = lambda name: None
        self.available = True

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._store, name)

        def guarded(*args: Any, **options: Any) -> Any:
            self.calls.append(name)
            self.fault(name)
            answer = call(*args, **options)
            self.fault_after(name)
            return answer

        return guarded

    @contextmanager
    def away(self, *names: str) -> Any:
        """These calls (all, without names) fail while the block lasts."""
        former = self.fault

        def refuse(name: str) -> None:
            if not names or name in names:
                raise StoreUnavailable("away")

        self.fault = refuse
        try:
            yield
        finally:
            self.fault = former
