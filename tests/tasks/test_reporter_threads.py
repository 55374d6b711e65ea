"""A reporter in threads that the task has started: nothing is lost, and who asks learns of a cancel."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest

from channels_progress.exceptions import TaskCancelled
from channels_progress.tasks import current_reporter
from channels_progress.tasks.current import activate
from channels_progress.testing import RecordingReporter

THREADS = 8
TIMES = 2_000


@pytest.fixture
def reporter() -> Iterator[RecordingReporter]:
    """Threads take turns as often as they can."""
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield RecordingReporter()
    sys.setswitchinterval(former)


def run_in_threads(work: Callable[[int], Any]) -> list[Any]:
    """What ``work`` returns in each thread; they all begin at once."""
    barrier = threading.Barrier(THREADS)

    def run(number: int) -> Any:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return [future.result() for future in [pool.submit(run, number) for number in range(THREADS)]]


@pytest.mark.parametrize("step", [1, 1.0, True])
def test_counts_of_several_threads_add_up(reporter: RecordingReporter, step: Any) -> None:
    def count(number: int) -> None:
        for _ in range(TIMES):
            reporter.advance(step)

    run_in_threads(count)
    assert reporter.body["current"] == THREADS * TIMES


def test_a_cancel_loses_no_count(reporter: RecordingReporter) -> None:
    def count(number: int) -> None:
        for time in range(TIMES):
            reporter.advance()
            if number == 0 and time == TIMES // 2:
                reporter.cancel()

    run_in_threads(count)
    assert reporter.body["current"] == THREADS * TIMES


def test_counters_of_several_threads_are_all_kept(reporter: RecordingReporter) -> None:
    class Interrupted(float):
        """Another thread sets its counter while this one is looked at."""

        def __gt__(self, other: Any) -> bool:
            run_in_threads(lambda number: reporter.set(**{f"thread {number}": number}))
            return False

    reporter.set(mine=Interrupted(1))
    others = {f"thread {number}": number for number in range(THREADS)}
    assert reporter.body == {"counters": {"mine": 1, **others}}


def test_a_counter_is_sampled_as_it_was(reporter: RecordingReporter) -> None:
    reporter.set(rows=1)
    before = reporter.body
    reporter.set(rows=2)
    assert (before, reporter.body) == ({"counters": {"rows": 1}}, {"counters": {"rows": 2}})


def test_whoever_asks_learns_of_a_cancel_and_the_task_still_does(reporter: RecordingReporter) -> None:
    reporter.cancel("Enough")

    def ask(number: int) -> str:
        reporter.advance()
        with pytest.raises(TaskCancelled) as raised:
            reporter.check_cancelled()
        return raised.value.reason

    assert run_in_threads(ask) == ["Enough"] * THREADS
    with pytest.raises(TaskCancelled, match="Enough"):
        reporter.advance()


def test_context_hands_the_reporter_on(reporter: RecordingReporter) -> None:
    with activate(reporter), ThreadPoolExecutor() as pool:
        assert pool.submit(current_reporter).result() is not reporter
        assert pool.submit(copy_context().run, current_reporter).result() is reporter
