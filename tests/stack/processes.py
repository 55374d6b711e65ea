"""Looking at processes: whose they are, and whether they are gone."""

from __future__ import annotations

import psutil


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet counts as ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def find_descendants(pid: int) -> list[int]:
    """All processes below ``pid``, in sessions and groups of their own too."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def find_children(pid: int) -> list[int]:
    """The processes that ``pid`` has started and that still run."""
    return [child.pid for child in psutil.Process(pid).children()]
