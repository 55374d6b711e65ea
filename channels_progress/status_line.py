"""A task in one line of a terminal, redrawn in place, with other lines above it.

What is written may come from anybody: a title from a form, a message from a file. Nothing of it may steer the terminal,
forge another line, or be wider than it seems.
"""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from typing import TextIO

from channels_progress.display import TaskDisplay

BAR_CHARS = 24
#: Back to the first column, and erase to the right (ECMA-48: CR, then EL).
ERASE_LINE = "\r\x1b[K"
BETWEEN = "  "

# White space that would begin a new line or jump, also what only some programs take for a line's end.
_BREAKS = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
# C0 and C1 controls (ESC and CSI among them), and what makes text run the other way, which hides what follows.
_CONTROLS = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class StatusLine:
    """One line at the bottom of ``stream`` that changes, and lines above it that stay."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = ""

    def draw(self, text: str) -> None:
        """Show this in place of what is there, cut to the terminal's width."""
        # One less: in the last column some terminals wrap at once.
        self._shown = cut_to_cells(clean_line(text), shutil.get_terminal_size().columns - 1)
        self._write(ERASE_LINE + self._shown)

    def say(self, text: str) -> None:
        """Write a line that stays, above the one that changes."""
        self._write(f"{ERASE_LINE}{clean_line(text)}\n{self._shown}")

    def end(self) -> None:
        """Leave what is shown; whatever comes next stands below."""
        if self._shown:
            self._shown = ""
            self._write("\n")

    def _write(self, text: str) -> None:
        self._stream.write(fit_encoding(text, self._stream))
        self._stream.flush()


def is_terminal(stream: TextIO) -> bool:
    """Whether lines can be redrawn on it."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def format_line(display: TaskDisplay, *, status: str = "") -> str:
    """A task in one line; what matters most comes first, because the end may be cut off."""
    parts = [
        status,
        draw_bar(display.bar),
        display.percent and f"{display.percent:>4}",
        display.count,
        display.rate,
        display.eta,
        display.elapsed,
        display.attempt,
        display.stage,
        display.message,
        *(f"{name} {value}" for name, value in display.counters),
    ]
    return BETWEEN.join(part for part in parts if part)


def draw_bar(share: float | None) -> str:
    """``[######------]``; nothing where it is not known how much is done."""
    return "" if share is None else f"[{'#' * int(share * BAR_CHARS + 1e-9):-<{BAR_CHARS}}]"


def clean_line(text: str) -> str:
    """``text`` as one line without anything that a terminal obeys."""
    return _CONTROLS.sub("\ufffd", _BREAKS.sub(" ", text))


def cut_to_cells(text: str, cells: int) -> str:
    """As much of ``text`` as fits into so many columns of a terminal."""
    used = 0
    for index, character in enumerate(text):
        used += count_cells(character)
        if used > cells:
            return text[:index]
    return text


def count_cells(character: str) -> int:
    """How many columns a character takes (Unicode Standard Annex 11): ideographs and most emoji two."""
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def fit_encoding(text: str, stream: TextIO) -> str:
    """``text`` with ``?`` for what the stream cannot write: under ``LANG=C`` a Greek title must not end a command."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
