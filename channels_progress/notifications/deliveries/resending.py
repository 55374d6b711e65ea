"""Sending again what staff have chosen, after they looked at it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.utils import timezone

from channels_progress.inbox_tables import DeliveryState
from channels_progress.notifications.deliveries.claims import LOST_AFTER_S, find_database, find_rows
from channels_progress.notifications.deliveries.dispatching import ask_for

#: What is over without a success that is recorded.
RESENDABLE = (DeliveryState.FAILED, DeliveryState.UNKNOWN, DeliveryState.CANCELLED)


def send_again(record_ids: Collection[int]) -> list[int]:
    """Have these deliveries carried out anew, whatever their condition says; the keys of those that were over.

    One that is unknown may come twice: whoever was sending it may have done so, or do so yet.
    """
    using, now = find_database(), timezone.now()
    with transaction.atomic(using=using):
        over = find_rows(using).select_for_update().filter(pk__in=record_ids, state__in=RESENDABLE)
        ids = list(over.values_list("pk", flat=True))
        find_rows(using).filter(pk__in=ids, state__in=RESENDABLE).update(
            state=DeliveryState.WAITING,
            # Whoever has it still has no claim any more, and settles nothing.
            claim="",
            condition="",
            attempts=0,
            due_at=now,
            look_at=now + timedelta(seconds=LOST_AFTER_S),
            done_at=None,
        )
        if ids:
            transaction.on_commit(partial(ask_for, ids, now), using=using)
    return ids
