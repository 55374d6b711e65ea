"""Tasks that write into files what happens to them, which works while every server is down."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import signals
from django.db import transaction

from channels_progress.tasks import TaskReporter, broadcast_task
from tests.live.rig.gates import FOLDER_VARIABLE, wait_at

_began_at: dict[str, float] = {}
_worked_s: dict[str, float] = {}


def find_note(folder: Path, kind: str, uid: str) -> Path:
    """``steps``: a byte for each step of the task; ``delay``: the seconds it took beside its own work."""
    return folder / f"{kind}-{uid}"


def _note_begin(task_id: str, **kwargs: Any) -> None:
    _began_at[task_id] = time.monotonic()
    _worked_s[task_id] = 0.0


def _note_end(task_id: str, **kwargs: Any) -> None:
    delay_s = time.monotonic() - _began_at.pop(task_id) - _worked_s.pop(task_id)
    _put(find_note(_folder(), "delay", task_id), f"{delay_s:.3f}")


if FOLDER_VARIABLE in os.environ:
    # In the worker: the test process runs other tests' tasks.
    signals.task_prerun.connect(_note_begin)
    signals.task_postrun.connect(_note_end)


def _folder() -> Path:
    return Path(os.environ[FOLDER_VARIABLE])


def _put(path: Path, text: str) -> None:
    """All at once: the test is waiting for the file."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text)
    unfinished.rename(path)


def _work(uid: str, gate: str = "") -> None:
    """A step: a short piece of work, or the wait for a gate."""
    began_at = time.monotonic()
    if gate:
        wait_at(gate)
    else:
        time.sleep(0.05)
    _worked_s[uid] += time.monotonic() - began_at
    with find_note(_folder(), "steps", uid).open("ab") as steps:
        steps.write(b".")


@broadcast_task(bind=True)
def work(self: Any, reporter: TaskReporter, gate: str) -> None:
    """Work until the gate is open, and report after each step in every way there is."""
    uid, number = self.request.id, 0
    while not (_folder() / f"gate-{gate}").exists() and number < 2_000:
        number += 1
        _work(uid)
        reporter.progress(number, message=f"Step {number}")
        if number % 10 == 0:
            reporter.message(f"{number} steps")
            reporter.flush()


@broadcast_task
def work_in_transaction(reporter: TaskReporter, gate: str, *, commits: bool) -> None:
    """Report inside of a transaction that stays open until the gate does."""
    with suppress(RolledBack), transaction.atomic():
        reporter.progress(1, 2, "Inside")
        reporter.message("Inside", on_commit=True)
        reporter.message("Inside, at once")
        wait_at(gate)
        if not commits:
            raise RolledBack
    reporter.message("After it", on_commit=True)


class RolledBack(Exception):
    """Ends a transaction."""


@broadcast_task(bind=True)
def work_once(self: Any, reporter: TaskReporter) -> None:
    _work(self.request.id)
    reporter.message("Done")
