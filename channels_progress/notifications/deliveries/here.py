"""Deliveries without workers: each function is a ``DELIVERY_DISPATCHER``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from channels_progress.notifications.deliveries.running import deliver


def deliver_here(record_ids: Sequence[int], due_at: datetime) -> None:
    """At once, so that whoever calls ``notify`` waits for it: for development and tests.

    What is due later waits for ``deliver_due``.
    """
    if due_at <= timezone.now():
        for record_id in record_ids:
            deliver(record_id)


def leave_to_command(record_ids: Sequence[int], due_at: datetime) -> None:
    """All of it waits for ``manage.py deliver_due``: for sites that have Celery installed, and do not use it."""
