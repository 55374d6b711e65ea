"""What a person does with their inbox: reads and removes. Whatever is another's is neither touched nor told apart.

Each is one step: the items, the deliveries that only waited for them to be unread, and one word to the person's pages,
after the commit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.db import router, transaction
from django.db.models import QuerySet
from django.utils import timezone

from channels_progress.exceptions import InboxRequestRefused
from channels_progress.inbox_tables import DeliveryState, ItemStatus
from channels_progress.models import DeliveryRecord, InboxItem
from channels_progress.notifications.conditions import UNREAD
from channels_progress.notifications.hints import tell_changes
from channels_progress.notifications.pages import NOT_FOUND, clean_uids, find_items


def mark_read(user: Any, uids: Iterable[Any]) -> int:
    """This user has read these items; how many were unread.

    Raises:
        InboxRequestRefused: One of them is not in this inbox. Nothing is changed then.
    """
    return _mark_read(user, _find_all(user, clean_uids(uids)))


def mark_all_read(user: Any) -> int:
    """This user has read everything; how many items were unread."""
    return _mark_read(user, _find_own(user))


def remove(user: Any, uids: Iterable[Any]) -> int:
    """Take these items out of this user's inbox; raises as ``mark_read`` does."""
    return _set_status(user, _find_all(user, clean_uids(uids)), ItemStatus.REMOVED)


def remove_all(user: Any) -> int:
    """Empty this user's inbox; how many items were taken out."""
    return _set_status(user, _find_own(user), ItemStatus.REMOVED)


def set_status(user: Any, uid: Any, status: str) -> None:
    """Give one item of this user another status; raises as ``mark_read`` does, and for an unknown status."""
    if status not in ItemStatus.values:
        raise InboxRequestRefused("status", f"one of {', '.join(ItemStatus.values)} is expected")
    _set_status(user, _find_all(user, clean_uids([uid])), ItemStatus(status))


def _find_own(user: Any) -> QuerySet[InboxItem]:
    # Of where it is written: a replica may not have it yet.
    return find_items(user).using(router.db_for_write(InboxItem))


def _find_all(user: Any, uids: Collection[UUID]) -> QuerySet[InboxItem]:
    items = _find_own(user).filter(uid__in=uids)
    if items.count() != len(uids):
        raise InboxRequestRefused("notification_uids", NOT_FOUND)
    return items


def _mark_read(user: Any, items: QuerySet[InboxItem]) -> int:
    now = timezone.now()
    return _change(user, items.filter(read_at__isnull=True), [UNREAD], read_at=now, updated_at=now)


def _set_status(user: Any, items: QuerySet[InboxItem], status: ItemStatus) -> int:
    # What is taken out of the inbox was seen, or is not wanted.
    needless = [] if status is ItemStatus.ACTIVE else [UNREAD]
    return _change(user, items, needless, status=status, updated_at=timezone.now())


def _change(user: Any, items: QuerySet[InboxItem], needless: list[str], **values: Any) -> int:
    with transaction.atomic(using=items.db):
        ids = list(items.values_list("pk", flat=True))
        changed = InboxItem.objects.using(items.db).filter(pk__in=ids).update(**values)
        if needless and changed:
            waiting = DeliveryRecord.objects.using(items.db).filter(
                item__in=ids, state=DeliveryState.WAITING, condition__in=needless
            )
            waiting.update(state=DeliveryState.CANCELLED, done_at=timezone.now())
        if changed:
            tell_changes([str(user.pk)], on_commit=items.db)
    return changed
