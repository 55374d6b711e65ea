"""Notifications that stay: said once, kept in the inbox of each recipient, delivered by other ways besides.

Needs Django to be set up: what imports it is a view, a task or a command, never a settings module.
"""

from __future__ import annotations

from channels_progress.notifications.marks import mark_all_read, mark_read, remove, remove_all
from channels_progress.notifications.notification_service import NotificationService
from channels_progress.notifications.objects import changed_fields
from channels_progress.notifications.preferences import get_preferences, set_preference, wants
from channels_progress.notifications.service import anotify, notify

__all__ = [
    "NotificationService",
    "anotify",
    "changed_fields",
    "get_preferences",
    "mark_all_read",
    "mark_read",
    "notify",
    "remove",
    "remove_all",
    "set_preference",
    "wants",
]
