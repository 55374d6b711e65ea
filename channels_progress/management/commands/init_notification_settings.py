"""``manage.py init_notification_settings``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from channels_progress.notifications.preferences import init_preferences


class Command(BaseCommand):
    """Writes the preferences of users who have none."""

    help = "Writes down for each user without preferences that they want all notifications. May be run again."

    def handle(self, *args: Any, **options: Any) -> None:
        """Write them, in chunks."""
        try:
            made, users = init_preferences()
        except DatabaseError as error:
            first_line = str(error).partition("\n")[0]
            raise CommandError(f"The database refused: {first_line} (Has manage.py migrate been run?)") from error
        self.stdout.write(f"{made} of {users} users have got notification settings.")
