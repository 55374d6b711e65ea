"""A sample taken by another thread in the middle of anything is whole."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from channels_progress.exceptions import TaskCancelled
from channels_progress.tasks.reporting import Reporter


@pytest.fixture(autouse=True)
def _eager_thread_switches() -> Iterator[None]:
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(former)


def test_a_sample_never_mixes_two_stages_or_totals() -> None:
    reporter, odd, stop = Reporter(stages=("A", "B")), [], threading.Event()
    whole = {None: {None}, "A": {None, 10, 20}, "B": {None, 1_000, 2_000}}

    def look() -> None:
        while not stop.is_set():
            body = reporter.sample(0.0) or {}
            name, current, total = body.get("stage", {}).get("name"), body.get("current", 0), body.get("total")
            if total not in whole[name] or (total is not None and current > total) or body.get("message", name) != name:
                odd.append(body)

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(500):
        for name, size in (("A", 10), ("B", 1_000)):
            with reporter.stage(name):
                for _ in reporter.track(range(size), name):
                    pass
                reporter.progress(2 * size, 2 * size, name)
    stop.set()
    thread.join()
    assert odd == []


def test_no_cancel_gets_lost_between_two_bars() -> None:
    for _ in range(300):
        reporter = Reporter()
        thread = threading.Thread(target=reporter.cancel)
        with pytest.raises(TaskCancelled):
            work_until_cancelled(reporter, thread)
        thread.join()


def work_until_cancelled(reporter: Reporter, canceller: threading.Thread) -> None:
    canceller.start()
    for number in range(10_000_000):
        with reporter.stage("A"):
            reporter.progress(1, number)
            reporter.advance(0)
