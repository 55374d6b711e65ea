"""No connection to a SQLite file is open while a process forks.

SQLite keeps its locks per process, and remembers in memory which it holds. A child inherits the memory, and not the
locks: its own connections to that file believe to be protected, until another process removes the log that they write
to, and all they write is lost (https://www.sqlite.org/howtocorrupt.html, "Carrying an open database connection across
a fork"). Celery forks while it works: for each child process that died, or has done ``max_tasks_per_child``.

So before a fork nothing more is begun, what is under way is waited for, and the connections are closed; afterwards the
parent opens others when it needs them.
"""

from __future__ import annotations

import os
import threading
from typing import Protocol
from weakref import WeakSet


class Haltable(Protocol):
    """What has connections to a SQLite file."""

    def halt(self) -> None:
        """Close all connections, and open none until ``resume``."""

    def resume(self) -> None:
        """Go on; called in the thread that has called ``halt``, in the parent and in the child."""


_haltables: WeakSet[Haltable] = WeakSet()
_halted: list[Haltable] = []
_forking = threading.Lock()


def halt_for_forks(haltable: Haltable) -> None:
    """Have it halted for each fork of this process, as long as it lives."""
    _haltables.add(haltable)


def _halt_all() -> None:
    _forking.acquire()
    for haltable in list(_haltables):
        haltable.halt()
        _halted.append(haltable)


def _resume_all() -> None:
    while _halted:
        _halted.pop().resume()
    _forking.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_halt_all, after_in_parent=_resume_all, after_in_child=_resume_all)
