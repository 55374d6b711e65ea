"""What a person does with their inbox: reads and removes. Whatever is another's is neither touched nor told apart.

Each is one step: the items, the deliveries that only waited for them to be unread, and one word to the person's pages,
after the commit. The number of queries does not depend on how much the inbox holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.db import router, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from channels_progress.exceptions import InboxRequestRefused
from channels_progress.inbox_tables import DeliveryState, ItemStatus
from channels_progress.models import DeliveryRecord, InboxItem
from channels_progress.notifications.chunks import find_chunk_size
from channels_progress.notifications.conditions import UNREAD
from channels_progress.notifications.hints import tell_changes
from channels_progress.notifications.pages import NOT_FOUND, clean_uids, find_items
from channels_progress.notifications.people import find_owner

# What somebody has read, or does not want, need not be sent because it is unread.
_SEEN = Q(read_at__isnull=False) | Q(status__in=(ItemStatus.REMOVED, ItemStatus.DELETED))


def mark_read(user: Any, uids: Iterable[Any]) -> int:
    """This user has read these items; how many were unread.

    Raises:
        InboxRequestRefused: One of them is not in this inbox. Nothing is changed then.
    """
    return _change(user, clean_uids(uids), read_at=timezone.now())


def mark_all_read(user: Any) -> int:
    """This user has read everything; how many items were unread."""
    return _change(user, None, read_at=timezone.now())


def remove(user: Any, uids: Iterable[Any]) -> int:
    """Take these items out of this user's inbox; raises as ``mark_read`` does."""
    return _change(user, clean_uids(uids), status=ItemStatus.REMOVED)


def remove_all(user: Any) -> int:
    """Empty this user's inbox; how many items were taken out."""
    return _change(user, None, status=ItemStatus.REMOVED)


def set_status(user: Any, uid: Any, status: str) -> None:
    """Give one item of this user another status; raises as ``mark_read`` does, and for an unknown status."""
    if status not in ItemStatus.values:
        raise InboxRequestRefused("status", f"one of {', '.join(ItemStatus.values)} is expected")
    _change(user, clean_uids([uid]), status=ItemStatus(status))


def _change(user: Any, uids: Collection[UUID] | None, **values: Any) -> int:
    """Change these items of a user's inbox, or all of them; how many."""
    # Of where it is written: a replica may not have it yet.
    using = router.db_for_write(InboxItem)
    parts = _select(find_items(user).using(using), uids)
    # What reads before it writes is refused by SQLite at once where somebody else has written in between.
    with transaction.atomic(using=using):
        changed = sum(_update(items, values) for items in parts)
        if changed:
            _cancel_needless(find_owner(user), using)
            tell_changes([str(user.pk)], on_commit=using)
    return changed


def _select(own: QuerySet[InboxItem], uids: Collection[UUID] | None) -> list[QuerySet[InboxItem]]:
    """What is to be changed of somebody's own items, in as many parts as the database needs.

    Raises:
        InboxRequestRefused: One of the uids is not among them.
    """
    if uids is None:
        return [own]
    ordered, size = [*uids], find_chunk_size(own.db)
    parts = [own.filter(uid__in=ordered[start : start + size]) for start in range(0, len(ordered), size)]
    if sum(part.count() for part in parts) != len(uids):
        raise InboxRequestRefused("notification_uids", NOT_FOUND)
    return parts


def _update(items: QuerySet[InboxItem], values: dict[str, Any]) -> int:
    if "read_at" in values:
        items = items.filter(read_at__isnull=True)
    return items.update(updated_at=timezone.now(), **values)


def _cancel_needless(owner: str, using: str) -> None:
    """Cancel what waits for this person to have left an item unread, where they have not."""
    seen = InboxItem.objects.using(using).filter(_SEEN, owner=owner).values("pk")
    waiting = DeliveryRecord.objects.using(using).filter(owner=owner, state=DeliveryState.WAITING, condition=UNREAD)
    waiting.filter(item__in=seen).update(state=DeliveryState.CANCELLED, done_at=timezone.now())
