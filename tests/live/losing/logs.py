"""What a process should not have logged."""

from __future__ import annotations

import re
from collections import Counter

from tests.live.rig import ServerProcess

# Celery adds a line with the process to each of a worker's; a site has one process.
SAID = re.compile(
    r"^(?:\[[^]]*/(?P<process>\S+)\] )?(?P<text>Progress is not stored for now|No hints arrive for now)", re.MULTILINE
)
BROKEN = ("Traceback", "Task was destroyed", "never retrieved")


class LogSince:
    """A process's log from now on."""

    def __init__(self, process: ServerProcess) -> None:
        self._process = process
        self._start = len(process.log)

    def find_complaints(self) -> list[str]:
        """Signs of something broken, and what one process has said of an outage more than once."""
        text = self._process.log[self._start :]
        said = Counter((found["process"], found["text"]) for found in SAID.finditer(text) if self._counts(found))
        repeated = [f"{times} x {process}: {line}" for (process, line), times in said.items() if times > 1]
        return repeated + [word for word in BROKEN if word in text]

    def _counts(self, found: re.Match[str]) -> bool:
        return bool(found["process"]) or "celery" not in self._process.command
