"""The bar in a terminal."""

from __future__ import annotations

import io
import re

import pytest
from pytest_django.fixtures import Settings

from channels_progress.tasks.terminal import TerminalReporter


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> io.StringIO:
    monkeypatch.setenv("COLUMNS", "120")
    settings.CHANNELS_PROGRESS = {"REPORT_INTERVAL_S": 0}
    return io.StringIO()


def lines(stream: io.StringIO) -> list[str]:
    """What was drawn, one after another, without rate and time left."""
    drawn = re.sub(r"\x1b\[K|  [0-9.,]+( rows)?/s|  about [0-9:]+ left", "", stream.getvalue())
    return [line for line in re.split(r"[\r\n]", drawn) if line]


def test_track_draws_its_bar_and_ends_the_line(stream: io.StringIO) -> None:
    reporter = TerminalReporter(stream)
    assert list(reporter.track("ab", "Reading", unit="row")) == ["a", "b"]
    assert lines(stream) == [
        "[------------------------]    0%  0 of 2 rows  Reading",
        "[############------------]   50%  1 of 2 rows  Reading",
        "[########################]  100%  2 of 2 rows  Reading",
    ]
    assert stream.getvalue().endswith("\n")


def test_break_ends_the_line_too(stream: io.StringIO) -> None:
    for _ in TerminalReporter(stream).track("ab"):
        break
    assert stream.getvalue().endswith("0 of 2\n")


def test_messages_are_written_above_the_bar(stream: io.StringIO) -> None:
    reporter = TerminalReporter(stream)
    reporter.progress(1, 2)
    reporter.message("Row 7 has no name", level="warning")
    bar = "[############------------]   50%  1 of 2"
    assert lines(stream) == [bar, "Warning: Row 7 has no name", bar]


def test_stage_and_counters_are_shown(stream: io.StringIO) -> None:
    reporter = TerminalReporter(stream)
    with reporter.stage("Saving"):
        reporter.set(skipped=3)
        reporter.advance()
    assert lines(stream) == ["Step 1: Saving", "1  Step 1: Saving  skipped 3"]


def test_it_draws_seldom(stream: io.StringIO, settings: Settings) -> None:
    settings.CHANNELS_PROGRESS = {"REPORT_INTERVAL_S": 60}
    list(TerminalReporter(stream).track(range(10_000)))
    assert len(lines(stream)) == 2


def test_a_line_is_never_wider_than_the_terminal(stream: io.StringIO) -> None:
    TerminalReporter(stream).progress(1, 2, "x" * 500 + "\n")
    assert len(stream.getvalue().removeprefix("\r\x1b[K")) == 119
