"""What ``watch_task`` writes: a bar that is redrawn, plain lines, or JSON."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol, TextIO

from channels_progress.display import TaskDisplay, describe_task
from channels_progress.events import snapshot_liveness, task_frame
from channels_progress.formats import format_time
from channels_progress.records import ENDED_STATES, Liveness, Snapshot, TaskState
from channels_progress.status_line import BETWEEN, StatusLine, clean_line, fit_encoding, format_line, is_terminal
from channels_progress.texts import write_text


class Screen(Protocol):
    """Where a task is shown."""

    def show(self, snapshot: Snapshot) -> None:
        """Show the task as it is now; its messages are those that were not shown before."""

    def tell(self, text: str) -> None:
        """Say something about the watching itself."""

    def close(self) -> None:
        """Nothing more is shown."""


def make_screen(stream: TextIO, errors: TextIO, *, as_json: bool) -> Screen:
    """JSON where it is asked for; else a bar where ``stream`` is a terminal, and plain lines where it is not."""
    if as_json:
        return JsonScreen(stream, errors)
    return BarScreen(stream) if is_terminal(stream) else LineScreen(stream)


class JsonScreen:
    """A task frame as pages get it, on a line of its own, for each change. What is told goes to ``errors``."""

    def __init__(self, stream: TextIO, errors: TextIO) -> None:
        self._stream = stream
        self._errors = errors
        self._shown: object = None

    def show(self, snapshot: Snapshot) -> None:
        """See ``Screen.show``."""
        liveness, record = snapshot_liveness(snapshot), snapshot.record
        if self._shown != (shown := (record.epoch, record.attempt, record.seq, liveness)):
            self._shown = shown
            # ASCII alone: JSON escapes what steers terminals only up to U+001F by itself.
            write_line(self._stream, json.dumps(task_frame(snapshot, liveness), allow_nan=False))

    def tell(self, text: str) -> None:
        """See ``Screen.tell``."""
        write_line(self._errors, text)

    def close(self) -> None:
        """See ``Screen.close``."""


class TextScreen(ABC):
    """For people: a heading, the messages as they come, how far the task is, and how it ended."""

    #: Whether the last line shows where the bar stood.
    ends_with_bar = False

    def __init__(self) -> None:
        self._heading = ""
        self._gap = False

    def show(self, snapshot: Snapshot) -> None:
        """See ``Screen.show``."""
        frame = task_frame(snapshot, snapshot_liveness(snapshot))
        display = describe_task(frame["state"], frame["now"], frame["attempt"])
        for line in self._find_news(frame, display):
            self._write(line)
        if frame["state"]["state"] in ENDED_STATES:
            self._show_end(self._format_end(frame["state"], display), frame["now"])
        else:
            self._show_status(frame["state"], display, frame["now"])

    def tell(self, text: str) -> None:
        """See ``Screen.tell``."""
        self._write(text)

    @abstractmethod
    def _write(self, line: str) -> None: ...

    @abstractmethod
    def _show_status(self, state: Mapping[str, Any], display: TaskDisplay, now: int) -> None: ...

    @abstractmethod
    def _show_end(self, line: str, now: int) -> None: ...

    def _find_news(self, frame: Mapping[str, Any], display: TaskDisplay) -> Iterator[str]:
        uid = frame["channel"].partition(":")[2]
        if self._heading != (heading := f"{display.title or write_text('task')} ({uid})"):
            self._heading = heading
            yield heading
        gap = not frame["recovered"]
        if gap and not self._gap:
            yield write_text("messages_missing")
        # The same gap is in every snapshot until there is a newer message.
        self._gap = gap and not frame["messages"]
        for message in frame["messages"]:
            yield f"{format_time(message['at'])} {write_text('level_' + message['level'])} {message['text']}"

    def _format_end(self, state: Mapping[str, Any], display: TaskDisplay) -> str:
        shown = display if self.ends_with_bar else replace(display, bar=None, percent="")
        line = format_line(shown, status=f"{display.status}: {display.reason}" if display.reason else display.status)
        is_redirected = state["state"] == TaskState.SUCCESS and state.get("redirect")
        return f"{line}{BETWEEN}→ {state['redirect']}" if is_redirected else line


class BarScreen(TextScreen):
    """One line that is redrawn; what stays stands above it."""

    ends_with_bar = True

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._line = StatusLine(stream)

    def close(self) -> None:
        """See ``Screen.close``."""
        self._line.end()

    def _write(self, line: str) -> None:
        self._line.say(line)

    def _show_status(self, state: Mapping[str, Any], display: TaskDisplay, now: int) -> None:
        self._line.draw(format_status(state, display))

    def _show_end(self, line: str, now: int) -> None:
        self._line.draw("")
        self._line.say(line)


class LineScreen(TextScreen):
    """Plain lines for a log: one where the status, the stage, the message or the percentage has changed.

    Where no percentage is known, one where the count has.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._shown: object = None

    def close(self) -> None:
        """See ``Screen.close``."""

    def _write(self, line: str) -> None:
        write_line(self._stream, line)

    def _show_status(self, state: Mapping[str, Any], display: TaskDisplay, now: int) -> None:
        # While it waits for its time, the status counts the seconds.
        is_due = max(state["retry_at"], state.get("starts_at") or 0) <= now
        status = display.status if is_due else state["state"]
        shown = (status, display.stage, display.message, display.percent or display.count, display.attempt)
        if shown != self._shown:
            self._shown = shown
            self._write(f"{format_time(now)} {format_status(state, replace(display, bar=None))}")

    def _show_end(self, line: str, now: int) -> None:
        self._write(f"{format_time(now)} {line}")


def format_status(state: Mapping[str, Any], display: TaskDisplay) -> str:
    """How far the task is. What a silence means is said for pages only."""
    line = format_line(display, status=display.status)
    is_silent = state["liveness"] in (Liveness.STALLED, Liveness.LOST)
    return f"{line}{BETWEEN}{display.hint}" if display.hint and not is_silent else line


def write_line(stream: TextIO, text: str) -> None:
    """``text`` as one line without control characters, at once."""
    stream.write(fit_encoding(clean_line(text), stream) + "\n")
    stream.flush()
