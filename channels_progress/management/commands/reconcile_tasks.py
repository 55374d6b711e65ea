"""``manage.py reconcile_tasks``."""

from __future__ import annotations

import math
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from channels_progress.exceptions import StoreUnavailable
from channels_progress.tasks.reconciler import LIMIT, Outcome, reconcile_tasks


class Command(BaseCommand):
    """Ends tasks that ended unseen, where the result backend knows how."""

    help = "Ends the tasks that are not heard from any more and whose end Celery's result backend knows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ours."""
        parser.add_argument(
            "--silent-for", type=float, metavar="SECONDS", help="Without a heartbeat for so long; STALLED_AFTER_S."
        )
        parser.add_argument("--limit", type=int, default=LIMIT, help=f"Look at no more tasks; {LIMIT}.")

    def handle(self, *args: Any, silent_for: float | None, limit: int, **options: Any) -> None:
        """Say what became of each silent task; exits with 1 where a store or a result backend did not answer."""
        if limit < 1:
            raise CommandError(f"--limit is {limit}; 1 or more is expected.")
        if silent_for is not None and not 0 <= silent_for < math.inf:
            raise CommandError(f"--silent-for is {silent_for:g}; seconds are expected, 0 or more.")
        counts: Counter[Outcome] = Counter()
        try:
            for found in reconcile_tasks(silent_for_s=silent_for, limit=limit):
                counts[found.outcome] += 1
                self.stdout.write(f"{found.uid}  {found.outcome}  {found.state or found.why}")
        except StoreUnavailable as error:
            raise CommandError(f"The store did not answer: {error}") from error
        self.stdout.write(f"{counts.total()} silent, {counts[Outcome.ENDED]} of them ended.")
        if counts[Outcome.FAILED]:
            raise CommandError("The result backend did not answer.")
