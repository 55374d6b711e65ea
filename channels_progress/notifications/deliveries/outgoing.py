"""What deliveries are given: one person's notification with all that belongs to it, as it is when it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

from channels_progress.conf import get_settings
from channels_progress.inbox_tables import ItemStatus
from channels_progress.models import DeliveryRecord, InboxItem
from channels_progress.notifications.people import find_people


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingNotification:
    """One person's notification.

    Attributes:
        uid: What the inbox and its API know it by.
        user: Whose it is.
        text: What they read.
        level: Of ``django.contrib.messages``.
        kind: What people choose by whether they want it, or an empty string.
        action: What was done, or an empty string.
        url: Where it leads, with ``SITE_URL`` before it where that is set; an empty string where nowhere.
        link: The same as ``notify`` was given it: for pages of this site.
        actor: The user who did it, or None.
        model: The label of the model of the object it is about, or an empty string.
        object_pk: The object's key, as text.
        instance: The object's fields as they were, or None.
        changed: What changed of it.
        data: Whatever was added, or None.
        created_at: When it was said.
        read_at: When the person has seen it, or None.
        status: Whether their inbox lists it: a value of ``ItemStatus``.
    """

    uid: UUID
    user: Any
    text: str
    level: str
    kind: str
    action: str
    url: str
    link: str
    actor: Any
    model: str
    object_pk: str
    instance: Any
    changed: Any
    data: Any
    created_at: datetime
    read_at: datetime | None
    status: str

    @property
    def is_removed(self) -> bool:
        """Whether the person has taken it out of their inbox."""
        return self.status in {ItemStatus.REMOVED, ItemStatus.DELETED}


def load_outgoing(records: Iterable[DeliveryRecord], using: str) -> dict[int, OutgoingNotification]:
    """What these records are to deliver, by item. Items that are gone, or whose person cannot log in, are missing.

    Four queries at most, whatever their number.
    """
    found = InboxItem.objects.using(using).filter(pk__in=[record.item_id for record in records])
    items = list(found.select_related("notice"))
    pks = {pk for item in items for pk in (item.user_pk, item.notice.actor_pk) if pk}
    people = {str(user.pk): user for user in find_people(pks)}
    return {
        item.pk: _make(item, people[item.user_pk], people.get(item.notice.actor_pk))
        for item in items
        if item.user_pk in people and getattr(people[item.user_pk], "is_active", True)
    }


def make_absolute(url: str) -> str:
    """The URL with ``SITE_URL`` before it, where it is a path and that is set."""
    site = get_settings().SITE_URL
    return urljoin(site, url) if url and site else url


def _make(item: InboxItem, user: Any, actor: Any) -> OutgoingNotification:
    notice = item.notice
    return OutgoingNotification(
        uid=item.uid,
        user=user,
        text=notice.text,
        level=notice.level,
        kind=notice.kind,
        action=notice.action,
        url=make_absolute(notice.url),
        link=notice.url,
        actor=actor,
        model=notice.model,
        object_pk=notice.object_pk,
        instance=notice.instance,
        changed=notice.changed,
        data=notice.data,
        created_at=item.created_at,
        read_at=item.read_at,
        status=item.status,
    )
