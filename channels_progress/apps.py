"""The Django app."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from django.apps import AppConfig

from channels_progress.checks import register_checks


class ChannelsProgressConfig(AppConfig):
    """Connects the system checks, what forgets users, and the task signals where Celery is installed."""

    name = "channels_progress"
    verbose_name = "Channels progress"

    def ready(self) -> None:
        """Connect what must be connected in every process of the project."""
        register_checks()
        # Only now are there models.
        import_module("channels_progress.notifications.forgetting").connect_receivers()
        # Broadcasts alone need no Celery; but what goes wrong while importing an installed one is not hidden.
        if find_spec("celery") is not None:
            import_module("channels_progress.tasks.lifecycle").connect_signals()
