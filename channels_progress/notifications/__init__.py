"""Notifications that stay: said once, kept in the inbox of each recipient, delivered by other ways besides.

Needs Django to be set up: what imports it is a view, a task or a command, never a settings module.
"""

from __future__ import annotations

from channels_progress.notifications.service import anotify, notify

__all__ = ["anotify", "notify"]
