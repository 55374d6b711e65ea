"""Gates: where tasks wait for their test. Files, so that they work while every server is down."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER_VARIABLE = "RIG_FOLDER"
#: A body that waits for its test gives up after this time: longer than several waits of a test on a busy machine.
PATIENCE_S = 600.0
LOOK_AGAIN_S = 0.02


def open_gate(folder: Path, gate: str) -> None:
    """Let all tasks go on that wait there, now or later."""
    (folder / f"gate-{gate}").touch()


def wait_at(gate: str, *, meanwhile: Callable[[], Any] = lambda: None) -> None:
    """Wait until the test opens the gate.

    Raises:
        TimeoutError: It does not.
    """
    path = Path(os.environ[FOLDER_VARIABLE]) / f"gate-{gate}"
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(gate)
        meanwhile()
        time.sleep(LOOK_AGAIN_S)
