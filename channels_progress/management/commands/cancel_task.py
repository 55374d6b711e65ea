"""``manage.py cancel_task``."""

from __future__ import annotations

from argparse import ArgumentParser
from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from channels_progress.cancelling import ask_to_cancel
from channels_progress.exceptions import NotTerminated, StoreUnavailable
from channels_progress.records import CancelOutcome

SAID = {
    CancelOutcome.CANCELLING: "Task {uid} has been asked to stop: it does so when it next reports.",
    CancelOutcome.CANCELLED: "Task {uid} was cancelled before a worker began with it.",
    CancelOutcome.ENDED: "Task {uid} had already ended: nothing has changed.",
}
STOPPED = "Task {uid} was stopped."


class Command(BaseCommand):
    """Asks for a task to be cancelled, or has it terminated."""

    help = "Cancels a task: one that waits never starts, one that runs stops when it next reports."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ours."""
        parser.add_argument("uid", help="The task id, as on the task's page and in the admin.")
        parser.add_argument("--reason", default="", help="Shown to the people watching.")
        parser.add_argument(
            "--terminate",
            action="store_true",
            help="Have the worker stop a running task by force, where its pool can (prefork, gevent).",
        )

    def handle(self, *args: Any, uid: str, reason: str, terminate: bool, **options: Any) -> None:
        """Cancel it and say what became of it."""
        try:
            outcome = _terminate(uid, reason) if terminate else ask_to_cancel(uid, reason=reason)
        except StoreUnavailable as error:
            raise CommandError(f"The store does not answer; try `manage.py progress_doctor`. {error}") from error
        except NotTerminated as error:
            raise CommandError(f"{error} It has been asked to stop, and does so when it next reports.") from error
        if outcome is CancelOutcome.UNKNOWN:
            raise CommandError(f"There is no task {uid!r}. Write the id that stands on its page or in the admin.")
        said = STOPPED if terminate and outcome is CancelOutcome.CANCELLING else SAID[outcome]
        self.stdout.write(said.format(uid=uid))


def _terminate(uid: str, reason: str) -> CancelOutcome:
    # By name, because the tasks package needs Celery, which a project may not have.
    try:
        tasks = import_module("channels_progress.tasks")
    except ImportError as error:
        raise CommandError(str(error)) from error
    outcome: CancelOutcome = tasks.get_handle(uid).cancel(reason=reason, terminate=True)
    return outcome
