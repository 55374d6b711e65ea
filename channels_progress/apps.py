"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig


class ChannelsProgressConfig(AppConfig):
    """Connects the system checks, and the task signals where Celery is installed."""

    name = "channels_progress"
    verbose_name = "Channels progress"
