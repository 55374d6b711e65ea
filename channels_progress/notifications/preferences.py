"""What people want: whether they are notified at all, by which deliveries, and of which kinds of notice.

A row says yes or no to all (``"", ""``), to one delivery, to one kind, or to one delivery of one kind. A no wins, so
that who has switched it all off hears nothing, whatever else they had chosen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db import router, transaction
from django.db.models import QuerySet
from django.utils import timezone

from channels_progress.inbox_tables import DeliveryState
from channels_progress.models import DeliveryRecord, InboxItem, NotificationPreference
from channels_progress.notifications.chunks import find_chunk_size
from channels_progress.notifications.deliveries.registry import get_deliveries
from channels_progress.notifications.notices import clean_kind
from channels_progress.notifications.people import find_owner, find_owner_by_key
from channels_progress.notifications.recipients import stream_keys
from channels_progress.spaces import find_space
from channels_progress.values import shorten

#: Stands for all deliveries, or all kinds.
ALL = ""


def get_preferences(user: Any) -> dict[tuple[str, str], bool]:
    """What this user has chosen, by delivery and kind; ``("", "")`` is always there, and made where it was not.

    Raises as ``audiences.get_channel_name_for_user`` does.
    """
    rows = _find_rows(user)
    chosen = {(row.delivery, row.kind): row.is_enabled for row in rows.order_by("delivery", "kind")}
    if (ALL, ALL) not in chosen:
        row, _ = rows.get_or_create(**_identify(user, ALL, ALL))
        chosen = {(ALL, ALL): row.is_enabled, **chosen}
    return chosen


def set_preference(user: Any, is_enabled: bool, *, delivery: str = ALL, kind: str = ALL) -> None:
    """Remember what this user wants: of all, of one delivery, of one kind, or of one delivery of one kind.

    What waits to be sent and is not wanted any more is cancelled. That stays so, whatever they choose later.

    Raises:
        TypeError: This is not a user, ``is_enabled`` no bool, or a name no string.
        ValueError: There is no such delivery, or there cannot be such a kind.
    """
    if not isinstance(is_enabled, bool):
        raise TypeError(f"is_enabled is {shorten(repr(is_enabled), 60)}; True or False is expected.")
    identity = _identify(user, clean_delivery(delivery), clean_kind(kind))
    rows = _find_rows(user)
    with transaction.atomic(using=rows.db):
        rows.update_or_create(**identity, defaults={"is_enabled": is_enabled})
        if not is_enabled:
            _cancel_refused(identity["owner"], delivery, kind, rows.db)


def wants(user: Any, *, delivery: str = ALL, kind: str = ALL) -> bool:
    """Whether this user gets such a notice by this delivery; without one, in the inbox. One query."""
    rows = _find_rows(user).filter(is_enabled=False, delivery__in={ALL, delivery}, kind__in={ALL, kind})
    refused = [row for row in rows if row.delivery in (ALL, delivery) and row.kind in (ALL, kind)]
    return not refused


def init_preferences() -> tuple[int, int]:
    """Write down for each user that they want everything, where they have not chosen; how many, and of how many users.

    Nothing depends on these rows: no row is a yes. They are for who counts, edits or exports them by hand.
    """
    made = users = 0
    using, space = router.db_for_write(NotificationPreference), find_space()
    for pks in stream_keys(get_user_model()._base_manager.all(), find_chunk_size(using)):
        made += _init_chunk({find_owner_by_key(space, pk): pk for pk in pks}, using)
        users += len(pks)
    return made, users


def _init_chunk(people: dict[str, str], using: str) -> int:
    rows = NotificationPreference.objects.using(using)
    known = {*rows.filter(owner__in=people, delivery=ALL, kind=ALL).values_list("owner", flat=True)}
    missing = [
        NotificationPreference(owner=owner, user_pk=pk, delivery=ALL, kind=ALL)
        for owner, pk in people.items()
        if owner not in known
    ]
    # Somebody may choose at this moment.
    rows.bulk_create(missing, ignore_conflicts=True)
    return len(missing)


def find_refusals(owners: Collection[str], kind: str, deliveries: Iterable[str], *, using: str) -> dict[str, set[str]]:
    """Which of these owners do not want what, in one query: by delivery; under an empty string who wants none of it.

    Args:
        owners: As ``people.find_owner`` makes them.
        kind: Of the notice.
        deliveries: Those that it would take.
        using: The database.
    """
    refused: dict[str, set[str]] = {"": set(), **{name: set() for name in deliveries}}
    rows: Any = NotificationPreference.objects.using(using).filter(
        is_enabled=False, owner__in=owners, delivery__in=[*refused], kind__in={"", kind}
    )
    for owner, delivery, refused_kind in rows.values_list("owner", "delivery", "kind"):
        # MariaDB finds what is written alike, too.
        if delivery in refused and refused_kind in ("", kind):
            refused[delivery].add(owner)
    return refused


def clean_delivery(delivery: Any) -> str:
    """The name of a delivery, or an empty string.

    Raises:
        TypeError: It is not a string.
        ValueError: There is none.
    """
    if not isinstance(delivery, str):
        raise TypeError(f"delivery is {type(delivery).__name__} {shorten(repr(delivery), 60)}; a string is expected.")
    known = get_deliveries()
    if delivery != ALL and delivery not in known:
        raise ValueError(f"delivery is {shorten(repr(delivery), 60)}; one of {', '.join(known)} is expected.")
    return delivery


def _cancel_refused(owner: str, delivery: str, kind: str, using: str) -> None:
    waiting = DeliveryRecord.objects.using(using).filter(owner=owner, state=DeliveryState.WAITING)
    if delivery:
        waiting = waiting.filter(delivery=delivery)
    if kind:
        waiting = waiting.filter(
            item__in=InboxItem.objects.using(using).filter(owner=owner, notice__kind=kind).values("pk")
        )
    waiting.update(state=DeliveryState.CANCELLED, done_at=timezone.now())


def _find_rows(user: Any) -> QuerySet[NotificationPreference]:
    # Where it is written: who has just changed something sees it.
    using = router.db_for_write(NotificationPreference)
    return NotificationPreference.objects.using(using).filter(owner=find_owner(user))


def _identify(user: Any, delivery: str, kind: str) -> dict[str, Any]:
    return {"owner": find_owner(user), "user_pk": str(user.pk), "delivery": delivery, "kind": kind}
