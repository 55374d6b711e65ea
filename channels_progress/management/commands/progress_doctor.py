"""``manage.py progress_doctor``."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from channels_progress.events import encode_json
from channels_progress.management.diagnosis import Outcome, Status, diagnose
from channels_progress.management.steps import STEPS

NAME_WIDTH = max(len(step.name) for step in STEPS)
STATUS_WIDTH = max(len(status) for status in Status)


class Command(BaseCommand):
    """Tries everything between a task and a page, and says what to write where something is missing."""

    help = "Tries the whole way from a task to a page, and prints the line to paste where something is missing."
    # They are the first step.
    requires_system_checks: list[str] = []  # noqa: RUF012  as Django declares it

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ours."""
        names = [step.name for step in STEPS]
        parser.add_argument("--json", action="store_true", help="Print one JSON array of all outcomes.")
        parser.add_argument(
            "--skip", action="append", default=[], choices=names, help="Leave out a step, and what needs it."
        )

    def handle(self, *args: Any, json: bool, skip: list[str], **options: Any) -> None:
        """Run the steps; exits with 1 where one has failed."""
        outcomes = diagnose(STEPS, skip=skip)
        finished = list(outcomes) if json else self._print_each(outcomes)
        if json:
            self.stdout.write(encode_json([asdict(outcome) for outcome in finished]))
        if failed := [outcome.name for outcome in finished if outcome.status is Status.FAILED]:
            raise CommandError(f"{len(failed)} of {len(finished)} steps failed: {', '.join(failed)}.")

    def _print_each(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        finished = []
        for outcome in outcomes:
            self._print(outcome)
            finished.append(outcome)
        return finished

    def _print(self, outcome: Outcome) -> None:
        styles: dict[Status, Callable[[str], str]] = {
            Status.OK: self.style.SUCCESS,
            Status.WARNING: self.style.WARNING,
            Status.FAILED: self.style.ERROR,
            Status.SKIPPED: str,
        }
        status = styles[outcome.status](f"{outcome.status:<{STATUS_WIDTH}}")
        self.stdout.write(f"{status}  {outcome.name:<{NAME_WIDTH}}  {outcome.detail}")
        indent = " " * (STATUS_WIDTH + NAME_WIDTH + 4)
        for line in outcome.write.splitlines():
            self.stdout.write(f"{indent}{self.style.NOTICE('→')} {line}")
