"""What ``notify`` does about deliveries: checks what it was asked for, and writes the rows.

plan = make_plan(("websocket", "email"), countdown=0, condition=None)   # raises before anything is written
departure = plan.begin(notice, using=using)
departure.add(items, wants)                                             # once per batch of items, in the transaction
departure.leave(on_commit=using)                                        # once, or with None to leave at once
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction

from channels_progress.conf import get_settings
from channels_progress.inbox_tables import DeliveryState
from channels_progress.models import DeliveryRecord, InboxItem, Notice
from channels_progress.notifications.conditions import name_condition
from channels_progress.notifications.deliveries.base import Delivery
from channels_progress.notifications.deliveries.claims import LOST_AFTER_S
from channels_progress.notifications.deliveries.dispatching import ask_for, has_dispatcher
from channels_progress.notifications.deliveries.registry import get_delivery
from channels_progress.values import clean_number, shorten

Wants = Callable[[InboxItem, str], bool]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which ways a notice takes, and when.

    Attributes:
        immediate: Those that tell everybody at once, by name: there is no record of them.
        recorded: Those that have a record for each person, by name.
        countdown_s: Not before.
        condition: The name of what is asked then, or an empty string.
    """

    immediate: Mapping[str, Delivery]
    recorded: Mapping[str, Delivery]
    countdown_s: float
    condition: str

    def begin(self, notice: Notice, *, using: str) -> Departure:
        """For one notice, on the database that has its rows."""
        return Departure(self, notice, using)


def make_plan(
    deliveries: Collection[str], *, countdown: float | timedelta = 0, condition: str | Callable[..., bool] | None = None
) -> Plan:
    """Check what is asked for; touches no database.

    Args:
        deliveries: Names of deliveries. Each counts once.
        countdown: Seconds, less than ``INBOX_TTL_S``: an item is not kept longer than that.
        condition: See ``conditions.name_condition``.

    Raises:
        TypeError, ValueError: One of them is nothing of that kind; the message says what is expected.
        django.core.exceptions.ImproperlyConfigured: A delivery cannot be used as it is configured.
    """
    if isinstance(deliveries, str) or not isinstance(deliveries, Collection):
        raise TypeError(f"deliveries is {shorten(repr(deliveries), 60)}; a list of names is expected.")
    countdown_s, name = _clean_countdown(countdown), name_condition(condition)
    ways = {way: get_delivery(way) for way in deliveries}
    waits = bool(countdown_s or name)
    immediate = {way: delivery for way, delivery in ways.items() if delivery.is_immediate and not waits}
    recorded = {way: delivery for way, delivery in ways.items() if way not in immediate}
    return Plan(immediate, recorded, countdown_s, name)


@dataclass(slots=True)
class Departure:
    """One notice on its ways."""

    plan: Plan
    notice: Notice
    using: str
    _told: dict[str, list[str]] = field(default_factory=dict)
    _asked: dict[datetime, list[int]] = field(default_factory=dict)
    # Where nobody is asked, nothing can be lost on the way: the periodic task has it as soon as it is due.
    _is_somebody_asked: bool = field(default_factory=has_dispatcher)

    def add(self, items: Sequence[InboxItem], wants: Wants | None = None) -> None:
        """These items, which are stored, take the ways; one query.

        Args:
            items: Of the notice.
            wants: Whether the owner of an item wants a delivery of this name; None: everybody wants all.
        """
        wants = wants or _wants_all
        for name in self.plan.immediate:
            self._told.setdefault(name, []).extend(item.user_pk for item in items if wants(item, name))
        records = [
            self._make_record(item, name, delivery)
            for name, delivery in self.plan.recorded.items()
            for item in items
            if wants(item, name)
        ]
        for record in DeliveryRecord.objects.using(self.using).bulk_create(records):
            # Some databases do not tell the keys of several rows: those wait for the periodic task.
            if record.pk and self._is_asked_for(record.due_at):
                self._asked.setdefault(record.due_at, []).append(record.pk)

    def leave(self, *, on_commit: str | None) -> None:
        """Everything that leaves this process does so now, or after the commit on this database. Raises nothing then.

        Outside the transaction's control, and so maybe before the rows can be seen: what is looked for in vain is
        asked for again by the periodic task.
        """
        for name, user_pks in self._told.items():
            if user_pks:
                self.plan.immediate[name].announce(self.notice, user_pks, on_commit=on_commit)
        for due_at, ids in self._asked.items():
            ask = partial(ask_for, ids, due_at)
            if on_commit:
                transaction.on_commit(ask, using=on_commit)
            else:
                ask()

    def _make_record(self, item: InboxItem, name: str, delivery: Delivery) -> DeliveryRecord:
        due_at = item.created_at + timedelta(seconds=self.plan.countdown_s + delivery.digest_s)
        late = LOST_AFTER_S if self._is_asked_for(due_at) else 0
        return DeliveryRecord(
            item=item,
            owner=item.owner,
            delivery=name,
            state=DeliveryState.WAITING,
            condition=self.plan.condition,
            due_at=due_at,
            look_at=due_at + timedelta(seconds=late),
            expires_at=item.expires_at,
        )

    def _is_asked_for(self, due_at: datetime) -> bool:
        wait_s = (due_at - self.notice.created_at).total_seconds()
        return self._is_somebody_asked and wait_s <= get_settings().DELIVERY_COUNTDOWN_MAX_S


def _wants_all(item: InboxItem, name: str) -> bool:
    return True


def _clean_countdown(countdown: Any) -> float:
    given = countdown.total_seconds() if isinstance(countdown, timedelta) else countdown
    seconds, longest = clean_number(given, "countdown"), get_settings().INBOX_TTL_S
    if seconds >= longest:
        raise ValueError(f"countdown is {seconds:g}; less than INBOX_TTL_S ({longest:g}) is expected.")
    return float(seconds)
