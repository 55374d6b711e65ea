"""A reporter that remembers, and tasks that run at once with nothing but memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.test import override_settings

from channels_progress.conf import SETTING
from channels_progress.records import Message
from channels_progress.store import Store, get_store
from channels_progress.tasks.eager import run_eagerly
from channels_progress.tasks.reporting import Reporter
from channels_progress.tasks.stages import StageWeights

__all__ = [
    "Recorded",
    "RecordingReporter",
    "progress_in_memory",
]

#: What depends on how fast a test runs.
TIMES = frozenset({"rate", "eta_s"})


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a reporter said.

    Attributes:
        body: What a page would show now besides the log (``events.BODY_KEYS``), without rate and estimated time.
        messages: The log.
        stages: Names of the stages in the order in which they were begun.
    """

    body: dict[str, Any]
    messages: tuple[Message, ...] = ()
    stages: tuple[str, ...] = ()


class RecordingReporter(Reporter):
    """Takes and checks all that a task says, and remembers it. Asserts nothing itself, needs no Celery and no store.

    ``cancel("reason")`` makes the next call raise ``TaskCancelled``, as a press on the page's button would.

    Attributes:
        messages: The log so far.
    """

    def __init__(self, *, title: str = "", stages: StageWeights | None = None) -> None:
        super().__init__(title=title, stages=stages)
        self.messages: list[Message] = []
        self._body: dict[str, Any] = {}
        self._stages: list[str] = []

    @property
    def texts(self) -> list[str]:
        """The texts of the log."""
        return [message.text for message in self.messages]

    @property
    def body(self) -> dict[str, Any]:
        """See ``Recorded.body``."""
        body = self.sample(time.monotonic())
        if body is not None:
            self._body = {name: value for name, value in body.items() if name not in TIMES}
        return self._body

    @property
    def recorded(self) -> Recorded:
        """All of it, as a value that can be compared."""
        return Recorded(self.body, tuple(self.messages), tuple(self._stages))

    def _say(self, message: Message) -> None:
        self.messages.append(message)

    def _wake(self) -> None:
        stage = self._bar.run.stage
        if stage:
            self._stages.append(stage.name)


@contextmanager
def progress_in_memory(app: Any = None) -> Iterator[Store]:
    """While it lasts, tasks run where they are sent, and their records live in a memory store, which it yields.

    What a task raises is raised by ``delay()``. Also usable as a decorator.

    Args:
        app: The Celery app whose tasks run at once; the current one if None.
    """
    changed = {**(getattr(settings, SETTING, None) or {}), "STORE": "memory"}
    with override_settings(**{SETTING: changed}), run_eagerly(app):
        yield get_store()
