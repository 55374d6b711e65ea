"""The reporter of whoever asks, however deep in helpers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from channels_progress.tasks.reporting import Reporter
from channels_progress.tasks.terminal import TerminalReporter

_active: ContextVar[Reporter | None] = ContextVar("channels_progress_reporter", default=None)
_fallback = threading.local()

#: Commands that run other people's code; a bar of theirs does not belong into this terminal.
SERVING_COMMANDS = frozenset({"runserver", "test", "testserver"})


@contextmanager
def activate(reporter: Reporter) -> Iterator[Reporter]:
    """Make ``reporter`` the one that ``current_reporter()`` finds in this thread.

    A thread of one's own has none until it activates the task's one. It may report, but never gets
    ``TaskCancelled``: that is for the thread that the reporter was made in, the task's own.
    """
    token = _active.set(reporter)
    try:
        yield reporter
    finally:
        _active.reset(token)


def current_reporter() -> Reporter:
    """The reporter of the task that is running here.

    Outside a task: under ``manage.py`` on a terminal one that draws a bar there, elsewhere a silent one. All have the
    same interface and check what they are given alike.
    """
    if reporter := _active.get():
        return reporter
    if not hasattr(_fallback, "reporter"):
        _fallback.reporter = TerminalReporter() if is_command_on_terminal() else Reporter()
    fallback: Reporter = _fallback.reporter
    return fallback


def is_command_on_terminal() -> bool:
    """Whether this process is a management command that somebody watches."""
    program, command = Path(sys.argv[0]), next(iter(sys.argv[1:]), "")
    by_manage = program.name in {"manage.py", "django-admin"} or program.parts[-2:] == ("django", "__main__.py")
    return by_manage and command not in SERVING_COMMANDS and sys.stderr.isatty()
