"""``manage.py purge_tasks``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from channels_progress.exceptions import StoreUnavailable
from channels_progress.store import get_store
from channels_progress.store.purging import PURGED_AT_ONCE, purge_store


class Command(BaseCommand):
    """Removes the records that have expired."""

    help = "Removes records that are older than RECORD_TTL_S; only the database store needs it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ours."""
        parser.add_argument(
            "--batch",
            type=int,
            default=PURGED_AT_ONCE,
            help="Records that one call removes at most (%(default)s).",
        )

    def handle(self, *args: Any, batch: int, **options: Any) -> None:
        """Purge until nothing is left to be removed."""
        if batch < 1:
            raise CommandError(f"--batch is {batch}; 1 or more is expected.")
        try:
            removed = purge_store(get_store(), batch=batch)
        except StoreUnavailable as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{removed} expired tasks removed.")
