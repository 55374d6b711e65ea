"""A cancel raises from the next call in the task's own thread, once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from channels_progress.exceptions import TaskCancelled
from channels_progress.testing import RecordingReporter

CALLS: dict[str, Callable[[RecordingReporter], Any]] = {
    "progress": lambda reporter: reporter.progress(1, 2),
    "progress in a slow way": lambda reporter: reporter.progress(1.5, 2, "x"),
    "advance": lambda reporter: reporter.advance(),
    "track": lambda reporter: reporter.track([]),
    "stage": lambda reporter: reporter.stage("x").__enter__(),
    "message": lambda reporter: reporter.message("x"),
    "set": lambda reporter: reporter.set(x=1),
    "redirect": lambda reporter: reporter.redirect("/"),
    "flush": lambda reporter: reporter.flush(),
    "check_cancelled": lambda reporter: reporter.check_cancelled(),
}


@pytest.fixture
def reporter() -> RecordingReporter:
    reporter = RecordingReporter()
    reporter.progress(0, 2)
    return reporter


@pytest.mark.parametrize("name", CALLS)
def test_every_call_raises_with_the_reason(reporter: RecordingReporter, name: str) -> None:
    reporter.cancel("Wrong file")
    with pytest.raises(TaskCancelled) as raised:
        CALLS[name](reporter)
    assert (raised.value.reason, reporter.body) == ("Wrong file", {"current": 0, "total": 2, "fraction": 0.0})


@pytest.mark.parametrize("name", CALLS)
def test_no_call_raises_without_a_cancel(reporter: RecordingReporter, name: str) -> None:
    CALLS[name](reporter)


def test_what_cleans_up_may_report(reporter: RecordingReporter) -> None:
    reporter.cancel()
    with pytest.raises(TaskCancelled):
        reporter.advance()
    reporter.progress(1, 2)
    reporter.message("Undone")
    assert (reporter.body["current"], reporter.texts) == (1, ["Undone"])


def test_check_cancelled_always_raises(reporter: RecordingReporter) -> None:
    reporter.cancel("Wrong file")
    for _ in range(3):
        with pytest.raises(TaskCancelled, match="Wrong file"):
            reporter.check_cancelled()


def test_only_the_first_cancel_counts(reporter: RecordingReporter) -> None:
    reporter.cancel("first")
    reporter.cancel("second")
    with pytest.raises(TaskCancelled, match="first"):
        reporter.advance()
    reporter.cancel("third")
    reporter.advance()


def test_a_running_track_raises_at_its_next_item(reporter: RecordingReporter) -> None:
    seen: list[int] = []

    def work() -> None:
        for item in reporter.track(range(9)):
            seen.append(item)
            if item == 3:
                reporter.cancel()

    with pytest.raises(TaskCancelled):
        work()
    assert (seen, reporter.body["current"]) == ([0, 1, 2, 3], 4)


def test_a_bar_put_up_later_raises_too(reporter: RecordingReporter) -> None:
    outer, inner = iter(reporter.track(range(9))), iter(reporter.track(range(9)))
    next(outer)
    reporter.cancel()
    with pytest.raises(TaskCancelled):
        next(inner)


def test_the_outer_track_raises_as_well_as_the_inner_one(reporter: RecordingReporter) -> None:
    outer, inner = iter(reporter.track(range(9))), iter(reporter.track(range(9)))
    next(outer)
    next(inner)
    reporter.cancel()
    with pytest.raises(TaskCancelled):
        next(outer)


def test_another_thread_reports_on_and_leaves_the_cancel_to_the_task(reporter: RecordingReporter) -> None:
    reporter.cancel()
    thread = threading.Thread(target=reporter.progress, args=(2, 2))
    thread.start()
    thread.join()
    assert reporter.body["current"] == 2
    with pytest.raises(TaskCancelled):
        reporter.advance()


def test_a_stage_left_meanwhile_does_not_hide_a_cancel(reporter: RecordingReporter) -> None:
    with reporter.stage("Read"):
        reporter.cancel()
    with pytest.raises(TaskCancelled):
        reporter.progress(1, 2)


def test_except_exception_does_not_swallow_it(reporter: RecordingReporter) -> None:
    reporter.cancel()
    with pytest.raises(TaskCancelled), suppress(Exception):
        reporter.advance()
