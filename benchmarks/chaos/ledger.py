"""What really happened: a line for each thing a task did, on disk before anybody can be told of it."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

NAME = "ledger.jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """``what`` a task's process did: ``began``, ``success``, ``failure``, ``raised`` (reporting did)."""

    uid: str
    what: str
    pid: int


def note(folder: Path, uid: str, what: str) -> None:
    """Add a line; whole, whoever else writes."""
    line = json.dumps([uid, what, os.getpid()]) + "\n"
    descriptor = os.open(folder / NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def read(folder: Path) -> dict[str, list[Entry]]:
    """The entries of each task, in order."""
    entries: dict[str, list[Entry]] = defaultdict(list)
    path = folder / NAME
    for line in path.read_text().splitlines() if path.exists() else []:
        entry = Entry(*json.loads(line))
        entries[entry.uid].append(entry)
    return entries
