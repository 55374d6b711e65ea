"""What waits for those who were away: found in batches, acknowledged at once, and pruned.

A *recipient* is a ``Viewer.owner_key``: ``user:<pk>``, or ``session:<nonce>``. The number of queries does not depend on
how much waits. Errors of the database are raised as they are; who serves a page catches them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import models, router
from django.utils import timezone

from channels_progress.audiences import Audience
from channels_progress.broadcast_events import Event
from channels_progress.models import (
    DeliveryRecord,
    InboxItem,
    Notice,
    Notification,
    NotificationQuerySet,
    Receipt,
)

#: Rows that are removed in one step: others write meanwhile, and some databases have one writer.
PRUNED_IN_ONE_STEP = 500
# The largest key of a row.
_MAX_ID = 2**63 - 1


def store(audience: Audience, event: Event, lifetime: timedelta) -> Notification:
    """Keep an event for those who are away; see ``NotificationManager.store``. Sends nothing."""
    return Notification.objects.store(audience, event, lifetime)


def find_unacknowledged(
    recipient: str, channels: Collection[str], *, after_id: int = 0, limit: int
) -> list[Notification]:
    """What this recipient has not acknowledged of these channels, oldest first; beyond ``limit``, ask again."""
    return _find(channels, after_id, limit, Notification.objects.unacknowledged_by(recipient))


def find_newer(channels: Collection[str], *, after_id: int, limit: int) -> list[Notification]:
    """What is newer than ``after_id`` on these channels, oldest first; beyond ``limit``, ask again.

    A transaction that commits late may add a row below an id that was seen before: ask again from a little below.
    """
    return _find(channels, after_id, limit, Notification.objects.all())


def find_newest_id() -> int:
    """The largest id of what is stored in the namespace in force; 0 where there is nothing."""
    newest = Notification.objects.in_space().order_by("-pk").values_list("pk", flat=True)[:1]
    return next(iter(newest), 0)


def find_stored(*, after_id: int, limit: int) -> list[tuple[int, str]]:
    """Ids and channels of what was stored later in the namespace in force, for anybody, oldest first."""
    rows = Notification.objects.in_space().unexpired().filter(pk__gt=after_id).order_by("pk")
    return list(rows.values_list("pk", "channel")[:limit])


def _find(channels: Collection[str], after_id: int, limit: int, rows: NotificationQuerySet) -> list[Notification]:
    if not channels or after_id >= _MAX_ID:
        return []
    # Not by the key alone: PostgreSQL and MariaDB would rather walk through all rows in that order than sort a few.
    in_order = models.F("pk") + 0
    return list(rows.on(channels).unexpired().filter(pk__gt=max(after_id, 0)).order_by(in_order)[:limit])


def acknowledge(recipient: str, ids: Iterable[int], channels: Collection[str]) -> None:
    """This recipient has these notifications; those that are not on these channels, or not known, are ignored.

    Acknowledging twice, also at the same moment, is the same as once.
    """
    known = {number for number in ids if 0 < number <= _MAX_ID}
    if not (known and channels):
        return
    # From where it was written: a replica may not have it yet.
    found = Notification.objects.using(router.db_for_write(Notification)).on(channels)
    if expiries := dict(found.filter(pk__in=known).values_list("pk", "expires_at")):
        Receipt.objects.acknowledge(recipient, expiries)


def count_expired(now: datetime | None = None) -> int:
    """How many notifications ``prune`` would remove."""
    now = now or timezone.now()
    return sum(_find_expired(model, now).count() for model in (Notification, Notice))


def prune(now: datetime | None = None) -> int:
    """Remove what has expired, of all namespaces, in small steps; how many notifications, of either sort.

    Those that were broadcast go with their receipts, those of inboxes with each person's copy and its deliveries.
    """
    now = now or timezone.now()
    # What refers to something goes before it: nobody finds half of a notification.
    for model in (Receipt, DeliveryRecord, InboxItem):
        _remove_expired(model, now)
    return sum(_remove_expired(model, now) for model in (Notification, Notice))


def _remove_expired(model: type[models.Model], now: datetime) -> int:
    expired = _find_expired(model, now)
    ids = expired.order_by("expires_at").values_list("pk", flat=True)
    removed = 0
    while step := list(ids[:PRUNED_IN_ONE_STEP]):
        removed += expired.filter(pk__in=step).delete()[0]
    return removed


def _find_expired(model: type[models.Model], now: datetime) -> models.QuerySet[Any]:
    return model._default_manager.using(router.db_for_write(model)).filter(expires_at__lte=now)
