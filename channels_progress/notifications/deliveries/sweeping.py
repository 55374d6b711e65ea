"""The periodic task: asks again for what was lost, asks for what has become due, and finds what nobody heard of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from channels_progress.inbox_tables import DeliveryState
from channels_progress.models import DeliveryRecord
from channels_progress.notifications.deliveries.claims import LOST_AFTER_S, find_database, find_rows, insist
from channels_progress.notifications.deliveries.dispatching import ask_for
from channels_progress.notifications.deliveries.running import deliver

LIMIT = 10_000
UNHEARD = "Its worker was not heard of again: it may have been sent or not."
_BATCH = 500
#: What the periodic task has not looked at for so long, it will not look at: nobody runs it.
UNSWEPT_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one round found.

    Attributes:
        due: How many were due, and were asked for or carried out.
        unknown: How many had been begun, and nobody heard of them since.
        is_taken: Whether somebody took on what was asked for.
    """

    due: int
    unknown: int
    is_taken: bool = True


def ask_for_due(limit: int = LIMIT) -> Swept:
    """Have what is due carried out by the workers."""
    unknown, due = mark_unknown(), 0
    for batch in _find_due(limit):
        due += len(batch)
        if not ask_for(batch, timezone.now()):
            return Swept(due, unknown, is_taken=False)
    return Swept(due, unknown)


def deliver_due(limit: int = LIMIT) -> Swept:
    """Carry out here what is due, one after the other."""
    unknown, due = mark_unknown(), 0
    for batch in _find_due(limit):
        for record_id in batch:
            due += deliver(record_id) is not None
    return Swept(due, unknown)


def count_unswept() -> int:
    """How many deliveries the periodic task should have asked for long ago; 0 where it runs."""
    waiting = find_rows(find_database()).filter(state=DeliveryState.WAITING)
    return waiting.filter(look_at__lte=timezone.now() - UNSWEPT_AFTER).count()


def mark_unknown() -> int:
    """What was begun too long ago reads UNKNOWN from now on. Its claim stays: it may only be slow."""
    using = find_database()
    silent = find_rows(using).filter(state=DeliveryState.SENDING, look_at__lte=timezone.now())
    return insist(lambda: silent.update(state=DeliveryState.UNKNOWN, error=UNHEARD), using)


def _find_due(limit: int) -> Iterator[list[int]]:
    """The keys of what is due, in batches. Each is asked for again later, if it still waits then."""
    using, now = find_database(), timezone.now()
    due = find_rows(using).filter(state=DeliveryState.WAITING, look_at__lte=now)
    while limit > 0 and (batch := list(due.order_by("look_at")[: min(limit, _BATCH)])):
        for look_at, ids in _find_next_looks(batch, now).items():
            insist(lambda ids=ids, look_at=look_at: due.filter(pk__in=ids).update(look_at=look_at), using)  # type: ignore[misc]
        yield [record.pk for record in batch]
        limit -= len(batch)


def _find_next_looks(batch: list[DeliveryRecord], now: datetime) -> dict[datetime, list[int]]:
    # After as long again as it is late, to the next power of two: a long queue is not filled with doubles, and the rows
    # of a batch take a few updates.
    looks: dict[datetime, list[int]] = defaultdict(list)
    for record in batch:
        wait_s, late_s = LOST_AFTER_S, (now - record.due_at).total_seconds()
        while wait_s < late_s:
            wait_s *= 2
        looks[now + timedelta(seconds=wait_s)].append(record.pk)
    return looks
