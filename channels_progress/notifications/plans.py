"""Which ways a notice takes, and when: found right before anything is written, and followed once it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from channels_progress.audiences import USER_CHANNEL_PREFIX, find_audience
from channels_progress.broadcast_events import message_event
from channels_progress.models import DeliveryRecord, InboxItem, Notice
from channels_progress.notifications.conditions import UNREAD
from channels_progress.send import Parcel, send
from channels_progress.values import clean_number, shorten

WEBSOCKET = "websocket"
Wants = Callable[[InboxItem, str], bool]


@dataclass(frozen=True, slots=True)
class Plan:
    """The ways of one notice.

    Attributes:
        immediate: Told to all recipients in one go, and not recorded.
        recorded: One record for each item.
        countdown_s: How long the recorded ones wait.
        condition: Asked when they are due; an empty string for none.
    """

    immediate: tuple[str, ...]
    recorded: tuple[str, ...]
    countdown_s: float
    condition: str

    def begin(self, notice: Notice, *, using: str) -> Departure:
        """For one notice, on the database that has its rows."""
        return Departure(self, notice, using)


def make_plan(deliveries: Collection[str], *, countdown: float, condition: str | Callable[..., bool] | None) -> Plan:
    """The plan for these arguments of ``notify``.

    Raises:
        TypeError: The deliveries are no collection of names, or the countdown is no number.
        ValueError: An unknown delivery or condition; a countdown below zero, or endless.
    """
    if isinstance(deliveries, str) or not isinstance(deliveries, Collection):
        raise TypeError(f"deliveries is {shorten(repr(deliveries), 60)}; a list of names is expected.")
    names = tuple(dict.fromkeys(deliveries))
    known = (WEBSOCKET,)
    for name in names:
        if name not in known:
            raise ValueError(f"deliveries has {shorten(repr(name), 60)}; {', '.join(known)} are known.")
    if condition not in (None, UNREAD):
        raise ValueError(f"condition is {shorten(repr(condition), 60)}; {UNREAD!r} or None is expected.")
    countdown_s = float(clean_number(countdown, "countdown"))
    at_once = not countdown_s and condition is None
    immediate = names if at_once else ()
    return Plan(immediate, () if at_once else names, countdown_s, UNREAD if condition else "")


@dataclass(slots=True)
class Departure:
    """One notice on its ways."""

    plan: Plan
    notice: Notice
    using: str
    _told: list[str] = field(default_factory=list)

    def add(self, items: Sequence[InboxItem], wants: Wants) -> None:
        """These items, which are stored, take the ways; one query.

        Args:
            wants: Whether the owner of an item wants a delivery of this name.
        """
        for name in self.plan.immediate:
            self._told += [item.user_pk for item in items if wants(item, name)]
        DeliveryRecord.objects.using(self.using).bulk_create(
            self._make_record(item, name) for name in self.plan.recorded for item in items if wants(item, name)
        )

    def leave(self, *, on_commit: str | None) -> None:
        """Everything that leaves this process does so now, or after the commit on this database."""
        if not self._told:
            return
        event = message_event(self.notice.text, level=self.notice.level, click_url=self.notice.url or None)
        for pk in self._told:
            send(Parcel(find_audience(f"{USER_CHANNEL_PREFIX}{pk}"), event), on_commit=on_commit or False)

    def _make_record(self, item: InboxItem, delivery: str) -> DeliveryRecord:
        return DeliveryRecord(
            item=item,
            owner=item.owner,
            delivery=delivery,
            condition=self.plan.condition,
            due_at=item.created_at + timedelta(seconds=self.plan.countdown_s),
            expires_at=item.expires_at,
        )
