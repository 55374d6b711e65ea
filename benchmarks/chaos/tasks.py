"""The tasks. They tell the ledger what they do, so that nobody has to believe their reports."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.chaos.ledger import note
from channels_progress.tasks import broadcast_task
from tests.live.rig.gates import FOLDER_VARIABLE

STEP_S = 0.02
MESSAGE_EVERY = 5


class PlannedError(Exception):
    """What a task raises that is to fail."""


def run(self: Any, reporter: Any, steps: int, end: str) -> None:
    """Work through the steps and end as planned."""
    write = partial(note, Path(os.environ[FOLDER_VARIABLE]), self.request.id)
    write("began")
    for step in range(steps):
        time.sleep(STEP_S)
        _report(write, lambda step=step: reporter.progress(step + 1, steps, "Working"))
        if step % MESSAGE_EVERY == 0:
            _report(write, lambda step=step: reporter.message(f"Step {step}"))
    if end == "retry" and not self.request.retries:
        raise self.retry(countdown=0.5)
    write("failure" if end == "failure" else "success")
    if end == "failure":
        raise PlannedError


def _report(write: Callable[[str], None], call: Callable[[], Any]) -> None:
    # TaskCancelled is a BaseException: what is caught here nobody should ever see.
    try:
        call()
    except Exception:
        write("raised")
        raise


run_early = broadcast_task(run, name="chaos.run_early", bind=True)
run_late = broadcast_task(run, name="chaos.run_late", bind=True, acks_late=True, reject_on_worker_lost=True)
