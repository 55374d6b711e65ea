"""``manage.py deliver_due``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from channels_progress.notifications.deliveries.sweeping import LIMIT, ask_for_due, deliver_due


class Command(BaseCommand):
    """Carries out the deliveries that are due, or has workers do so."""

    help = "Delivers the notifications that are due: e-mails, webhooks and the like that were to wait, or failed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ours."""
        parser.add_argument("--limit", type=int, default=LIMIT, help=f"No more than this; {LIMIT}.")
        parser.add_argument("--queue", action="store_true", help="Leave the sending to Celery's workers.")

    def handle(self, *args: Any, limit: int, queue: bool, **options: Any) -> None:
        """Say how many there were; exits with 1 where nobody took them."""
        if limit < 1:
            raise CommandError(f"--limit is {limit}; 1 or more is expected.")
        try:
            swept = ask_for_due(limit) if queue else deliver_due(limit)
        except DatabaseError as error:
            first_line = str(error).partition("\n")[0]
            raise CommandError(f"The database refused: {first_line} (Has manage.py migrate been run?)") from error
        self.stdout.write(f"{swept.due} were due. {swept.unknown} may have been sent or not: their worker is gone.")
        if not swept.is_taken:
            raise CommandError("Nobody takes deliveries: Celery's broker is away, or there is none.")
