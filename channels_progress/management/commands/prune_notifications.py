"""``manage.py prune_notifications``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from channels_progress.inbox import count_expired, prune


class Command(BaseCommand):
    """Removes the stored messages and the notifications of inboxes that have expired."""

    help = "Removes what has expired: stored messages, who has acknowledged them, and notifications of inboxes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ours."""
        parser.add_argument("--dry-run", action="store_true", help="Only say how many there are.")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        """Prune all of it, in small steps."""
        try:
            count = count_expired() if dry_run else prune()
        except DatabaseError as error:
            first_line = str(error).partition("\n")[0]
            raise CommandError(f"The database refused: {first_line} (Has manage.py migrate been run?)") from error
        self.stdout.write(f"{count} expired notifications {'would be removed' if dry_run else 'removed'}.")
