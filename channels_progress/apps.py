"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig

from channels_progress.checks import register_checks


class ChannelsProgressConfig(AppConfig):
    """Connects the system checks, and the task signals where Celery is installed."""

    name = "channels_progress"
    verbose_name = "Channels progress"

    def ready(self) -> None:
        """Connect what must be connected in every process of the project."""
        register_checks()
