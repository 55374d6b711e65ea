"""A reporter for people at a terminal: management commands that call the same helpers as tasks do."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TextIO, TypeVar

from channels_progress.conf import get_settings
from channels_progress.display import TaskDisplay, describe_task
from channels_progress.records import Liveness, Message, TaskState
from channels_progress.status_line import StatusLine, format_line
from channels_progress.tasks.reporting import Reporter
from channels_progress.texts import write_text

#: What a task's state holds besides its body, for a reporter that has no task.
RUNNING = {
    "state": TaskState.PROGRESS,
    "liveness": Liveness.LIVE,
    "cancelling": False,
    "reason": "",
    "began_at": 0,
}

Item = TypeVar("Item")


class TerminalReporter(Reporter):
    """Draws one line on ``stream``, and writes messages above it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self._line = StatusLine(stream or sys.stderr)
        self._body: Mapping[str, Any] = {}
        self._due_at = 0.0

    def progress(self, current: Any, total: Any = None, message: Any = None, *, unit: Any = None) -> None:
        super().progress(current, total, message, unit=unit)
        self._draw_if_due()

    def advance(self, n: Any = 1) -> None:
        super().advance(n)
        self._draw_if_due()

    def track(
        self, iterable: Iterable[Item], message: Any = None, *, total: Any = None, unit: Any = None
    ) -> Iterator[Item]:
        return self._draw_along(super().track(iterable, message, total=total, unit=unit))

    def _draw_along(self, items: Iterator[Item]) -> Iterator[Item]:
        try:
            for item in items:
                self._draw_if_due()
                yield item
        finally:
            self.flush()
            self._line.end()

    def flush(self) -> None:
        super().flush()
        self._draw(time.monotonic())

    def _say(self, message: Message) -> None:
        self._line.say(f"{write_text(f'level_{message.level}')} {message.text}")

    def _wake(self) -> None:
        self._draw(time.monotonic())

    def _draw_if_due(self) -> None:
        if (now := time.monotonic()) >= self._due_at:
            self._draw(now)

    def _draw(self, now: float) -> None:
        self._due_at = now + get_settings().REPORT_INTERVAL_S
        self._body = self.sample(now) or self._body
        self._line.draw(format_line(describe_body(self._body)))


def describe_body(body: Mapping[str, Any]) -> TaskDisplay:
    """The texts for what a reporter says (``events.BODY_KEYS``): as on a page, but all done is 100%."""
    display = describe_task({**RUNNING, **body}, now=0)
    if body.get("fraction") != 1:
        return display
    return replace(display, bar=1, percent=write_text("percent", percent=100))
