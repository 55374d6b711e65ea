"""Deliveries without workers: carried out at once, in the process that asks for them. For development and tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from channels_progress.notifications.deliveries.running import deliver


def deliver_here(record_ids: Sequence[int], due_at: datetime) -> None:
    """A ``DELIVERY_DISPATCHER``: whoever calls ``notify`` waits for it. What is due later waits for ``deliver_due``."""
    if due_at <= timezone.now():
        for record_id in record_ids:
            deliver(record_id)
