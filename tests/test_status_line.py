"""One line of a terminal: what it says, how wide it is, and what must not reach it."""

from __future__ import annotations

import io

import pytest

from channels_progress.display import TaskDisplay
from channels_progress.status_line import StatusLine, clean_line, cut_to_cells, draw_bar, format_line, is_terminal


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")


def test_lines_that_stay_stand_above_the_one_that_changes() -> None:
    stream = io.StringIO()
    line = StatusLine(stream)
    line.draw("half")
    line.say("a note")
    line.draw("all")
    line.end()
    line.end()
    assert stream.getvalue() == "\r\x1b[Khalf\r\x1b[Ka note\nhalf\r\x1b[Kall\n"


def test_what_matters_most_comes_first() -> None:
    display = TaskDisplay(status="Running", bar=0.5, percent="50%", count="1 of 2", stage="Step 1", message="Reading",
                          counters=(("bad", "3"),))  # fmt: skip
    bar = "[############------------]"
    assert format_line(display, status="Running") == f"Running  {bar}   50%  1 of 2  Step 1  Reading  bad 3"
    assert format_line(TaskDisplay(status="Running", bar=None)) == ""


@pytest.mark.parametrize(("share", "hashes"), [(0, 0), (0.04, 0), (0.29, 6), (0.5, 12), (0.99, 23), (1, 24)])
def test_a_bar_is_full_only_at_the_end(share: float, hashes: int) -> None:
    assert draw_bar(share) == f"[{'#' * hashes}{'-' * (24 - hashes)}]"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\x1b]0;owned\x07", "�]0;owned�"),
        ("\x9b2J", "�2J"),
        ("done\r\nSent: all", "done Sent: all"),
        ("a\u2028b\x85c\x1cd", "a b c d"),
        ("\u202efdp.exe\x7f\b", "�fdp.exe��"),
        ("Zażółć 東京 👩‍🔬", "Zażółć 東京 👩‍🔬"),
    ],
)
def test_nothing_that_steers_a_terminal_is_left(text: str, cleaned: str) -> None:
    assert clean_line(text) == cleaned


@pytest.mark.parametrize(
    ("text", "cut"),
    [("abcdef", "abcd"), ("東京都", "東京"), ("a東京", "a東"), ("e\u0301\u0301abc", "e\u0301\u0301abc")],
)
def test_a_line_is_cut_by_the_columns_that_it_takes(text: str, cut: str) -> None:
    assert cut_to_cells(text, 4) == cut


def test_what_is_drawn_leaves_the_last_column_free() -> None:
    stream = io.StringIO()
    StatusLine(stream).draw("x" * 50)
    assert stream.getvalue() == "\r\x1b[K" + "x" * 19


def test_a_stream_that_cannot_write_a_letter_gets_a_question_mark() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    StatusLine(stream).say("łódź…")
    assert stream.buffer.getvalue() == b"\r\x1b[K??d??\n"


def test_a_dumb_terminal_cannot_redraw(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    assert is_terminal(Terminal())
    assert not is_terminal(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not is_terminal(Terminal())
