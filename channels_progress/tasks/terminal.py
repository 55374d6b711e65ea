"""A reporter for people at a terminal: management commands that call the same helpers as tasks do."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO, TypeVar

from channels_progress.conf import get_settings
from channels_progress.records import Message
from channels_progress.tasks.reporting import Reporter

BAR_CHARS = 24
ERASE_LINE = "\r\x1b[K"

Item = TypeVar("Item")


class TerminalReporter(Reporter):
    """Draws one line on ``stream``, and writes messages above it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self._stream = stream or sys.stderr
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
            self._stream.write("\n")

    def flush(self) -> None:
        super().flush()
        self._draw(time.monotonic())

    def _say(self, message: Message) -> None:
        self._stream.write(f"{ERASE_LINE}{message.level}: {message.text}\n")
        self._draw(time.monotonic())

    def _wake(self) -> None:
        self._draw(time.monotonic())

    def _draw_if_due(self) -> None:
        if (now := time.monotonic()) >= self._due_at:
            self._draw(now)

    def _draw(self, now: float) -> None:
        self._due_at = now + get_settings().REPORT_INTERVAL_S
        self._body = self.sample(now) or self._body
        width = shutil.get_terminal_size().columns - 1
        self._stream.write(ERASE_LINE + format_line(self._body)[:width])
        self._stream.flush()


def format_line(body: Mapping[str, Any]) -> str:
    """A body (``events.BODY_KEYS``) as one line."""
    fraction, stage = body.get("fraction"), body.get("stage")
    parts = [
        stage and stage["name"],
        body.get("message"),
        None if fraction is None else f"[{'#' * int(fraction * BAR_CHARS):-<{BAR_CHARS}}] {fraction:4.0%}",
        format_count(body),
        body.get("rate") and f"{body['rate']:.4g}/s",
        body.get("eta_s") and f"{format_duration(body['eta_s'])} left",
        *(f"{name} {value}" for name, value in body.get("counters", {}).items()),
    ]
    return "  ".join(part.replace("\n", " ") for part in parts if part)


def format_count(body: Mapping[str, Any]) -> str:
    """How many of how many, with the unit."""
    if "current" not in body:
        return ""
    of_total = f"/{body['total']}" if "total" in body else ""
    return f"{body['current']}{of_total} {body.get('unit', '')}".rstrip()


def format_duration(seconds: float) -> str:
    """``3:20``, or ``1:05:00``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
