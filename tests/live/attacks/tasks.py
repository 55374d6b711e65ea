"""Tasks of which every text is an attack."""

from __future__ import annotations

from typing import Any

from channels_progress.exceptions import PublicError
from channels_progress.tasks import broadcast_task
from tests.live.attacks.texts import ATTACKS, LINK, LONG
from tests.live.rig.gates import wait_at

LEVELS = ("debug", "info", "success", "warning", "error")


def make_task(number: int, text: str) -> Any:
    """A task that says this everywhere, and fails with it, is cancelled with it, or succeeds."""

    @broadcast_task(name=f"attack{number}", title=text)
    def attack(reporter: Any) -> None:
        with reporter.stage(text):
            reporter.progress(1, 2, text, unit=text)
            reporter.set(**{text: 3})
            for level in LEVELS:
                reporter.message(text, level=level)
            reporter.message(LONG)
            reporter.flush()
            wait_at("attack", meanwhile=reporter.check_cancelled)
        reporter.redirect(LINK)
        if number % 2:
            raise PublicError(text)

    return attack


TASKS = [make_task(number, text) for number, text in enumerate(ATTACKS)]
