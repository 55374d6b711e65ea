"""``manage.py watch_task``."""

from __future__ import annotations

import math
import os
import sys
from argparse import ArgumentParser
from enum import IntEnum
from typing import Any, TextIO, cast

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from channels_progress.management.following import Sight, follow
from channels_progress.management.screens import Screen, make_screen
from channels_progress.records import TaskState

INTERVAL_S = 0.5
LEAST_INTERVAL_S = 0.01


class ExitStatus(IntEnum):
    """How a watch ended; 2 is left to wrong arguments, as everywhere."""

    SUCCEEDED = 0
    FAILED = 1
    STOPPED = 3
    NOT_ENDED = 4
    INTERRUPTED = 130
    UNREAD = 141


STATUSES = {
    TaskState.SUCCESS: ExitStatus.SUCCEEDED,
    TaskState.FAILURE: ExitStatus.FAILED,
    TaskState.REVOKED: ExitStatus.STOPPED,
    TaskState.IGNORED: ExitStatus.STOPPED,
}
WRONG_ARGUMENTS = 2


class Command(BaseCommand):
    """Shows the progress of a task until it ends; how it ended is the exit status."""

    help = (
        "Shows the progress of a task until it ends. Exit status: 0 done, 1 failed, 3 cancelled or ignored, "
        "4 no end within --timeout, 130 after Ctrl-C, which never stops the task."
    )

    # Their warnings would stand in the way; `progress_doctor` shows them.
    requires_system_checks: list[str] = []  # noqa: RUF012  as Django declares it

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ours."""
        parser.add_argument("uid", help="The task id, as on the task's page and in the admin.")
        parser.add_argument("--json", action="store_true", help="Print a JSON object per change, the frames of pages.")
        parser.add_argument(
            "--interval", type=float, default=INTERVAL_S, metavar="SECONDS", help="Look so often (%(default)s)."
        )
        parser.add_argument(
            "--timeout", type=float, metavar="SECONDS", help="Watch no longer; 0 looks once. For ever where not given."
        )

    def handle(self, *args: Any, uid: str, json: bool, interval: float, timeout: float | None, **options: Any) -> None:
        """Watch, and exit with the status where that is not 0."""
        check_seconds("--interval", interval, least=LEAST_INTERVAL_S)
        if timeout is not None:
            check_seconds("--timeout", timeout, least=0)
        # Whoever writes says where lines end.
        self.stdout.ending = self.stderr.ending = ""
        screen = make_screen(cast("TextIO", self.stdout), cast("TextIO", self.stderr), as_json=json)
        try:
            status = watch(screen, uid, interval_s=interval, timeout_s=timeout)
        except ImproperlyConfigured as error:
            self.stderr.ending = "\n"
            raise CommandError(str(error), returncode=WRONG_ARGUMENTS) from error
        except KeyboardInterrupt:
            screen.close()
            screen.tell(f"Not watching any more. The task goes on; `manage.py cancel_task {uid}` stops it.")
            status = ExitStatus.INTERRUPTED
        except BrokenPipeError:
            silence(sys.stdout)
            status = ExitStatus.UNREAD
        if status:
            sys.exit(status)


def watch(screen: Screen, uid: str, *, interval_s: float, timeout_s: float | None) -> ExitStatus:
    """Show the task until it ends or ``timeout_s`` are over."""
    sight, told, was_there = Sight(), None, False
    for sight in follow(uid, interval_s=interval_s, timeout_s=timeout_s):
        was_there = was_there or sight.snapshot is not None
        if sight.snapshot:
            screen.show(sight.snapshot)
        # Once for as long as it stays so, not at every look; nor for each reason of a store's.
        elif told is not bool(sight.away):
            screen.tell(find_notice(sight, uid, was_there=was_there))
        told = None if sight.snapshot else bool(sight.away)
    screen.close()
    if sight.snapshot and sight.is_end:
        return STATUSES[sight.snapshot.record.state]
    screen.tell(f"Task {uid} has not ended within {timeout_s:g} s (--timeout).")
    return ExitStatus.NOT_ENDED


def find_notice(sight: Sight, uid: str, *, was_there: bool) -> str:
    """What to say where nothing can be shown."""
    if sight.away:
        return f"The store does not answer; trying again. {sight.away} `manage.py progress_doctor` may tell more."
    if was_there:
        return f"There is no record of task {uid} any more. Waiting, should its worker make it again."
    return f"There is no record of task {uid}. Waiting until there is one."


def check_seconds(option: str, value: float, *, least: float) -> None:
    """``CommandError`` unless ``value`` is finite and not below ``least``."""
    if not least <= value < math.inf:
        raise CommandError(
            f"{option} is {value:g}; seconds are expected, {least:g} or more.", returncode=WRONG_ARGUMENTS
        )


def silence(stream: TextIO) -> None:
    """Nobody reads it any more: without this Python would complain when it empties the buffer at exit."""
    # https://docs.python.org/3/library/signal.html#note-on-sigpipe
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
