"""Inboxes as they are read: one page of a person's items, with how many there are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import router
from django.db.models import Count, F, Max, Model, Q, QuerySet, Subquery

from channels_progress.conf import get_settings
from channels_progress.exceptions import InboxRequestRefused
from channels_progress.inbox_tables import ItemStatus
from channels_progress.models import InboxItem
from channels_progress.notifications.people import find_owner

#: The same answer for what is nobody's, somebody else's, or was removed.
NOT_FOUND = "not in this inbox"
_FILTERS = {"true": True, "false": False, "": None}


class Version(NamedTuple):
    """How new an inbox is: another one wherever its page could look different.

    Attributes:
        total: How many items it lists.
        read: How many of those were read.
        changed_at: When one of them changed last.
    """

    total: int = 0
    read: int = 0
    changed_at: datetime | None = None


_VERSION = {
    # No column is counted: the index has all that is asked for.
    "total": Count("*"),
    "read": Count("read_at"),
    "changed_at": Max("updated_at"),
}


@dataclass(frozen=True, slots=True)
class InboxPage:
    """One page of an inbox.

    Attributes:
        items: The newest first, each with its ``notice`` loaded.
        version: How new the inbox was when they were read.
        page: From 1.
        page_size: How many items a full page has.
        total_items: How many items there are of what was asked for.
    """

    items: Sequence[InboxItem]
    version: Version
    page: int
    page_size: int
    total_items: int

    @property
    def total(self) -> int:
        """How many items the inbox has, whatever was asked for."""
        return self.version.total

    @property
    def read(self) -> int:
        """How many of those were read."""
        return self.version.read

    @property
    def unread(self) -> int:
        """How many were not read."""
        return self.total - self.read

    @property
    def total_pages(self) -> int:
        """At least 1: an empty inbox has an empty page."""
        return max(1, -(-self.total_items // self.page_size))


def read_page(
    user: Any, *, page: Any = None, page_size: Any = None, is_read: Any = None, using: str | None = None
) -> InboxPage:
    """One page of a user's inbox. Two queries, whatever the size; one where nothing is found.

    Args:
        user: Whose it is.
        page: From 1, a number or its digits; None is the first.
        page_size: 1 to ``INBOX_PAGE_SIZE_MAX``, likewise; None is ``INBOX_PAGE_SIZE``.
        is_read: True, False or their names in lower or upper case; None or an empty string is all.
        using: The database to read from; None asks the routers.

    Raises:
        InboxRequestRefused: It is none of these, or there is no such page.
    """
    settings = get_settings()
    number = _clean_number("page", page, default=1)
    usual = min(settings.INBOX_PAGE_SIZE, settings.INBOX_PAGE_SIZE_MAX)
    size = _clean_number("page_size", page_size, default=usual)
    if size > settings.INBOX_PAGE_SIZE_MAX:
        raise InboxRequestRefused("page_size", f"at most {settings.INBOX_PAGE_SIZE_MAX} is expected")
    wanted = _clean_filter(is_read)
    items = find_items(user).using(using)
    version = Version(**items.aggregate(**_VERSION))
    if wanted is not None:
        items = items.filter(read_at__isnull=not wanted)
    total_items = {None: version.total, True: version.read, False: version.total - version.read}[wanted]
    start = (number - 1) * size
    if start and start >= total_items:
        raise InboxRequestRefused("page", f"there is no page {number}")
    rows = _find_rows(items, start, size, total_items, version.total) if total_items else []
    return InboxPage(list(rows), version, number, size, total_items)


def _find_rows(items: QuerySet[InboxItem], start: int, size: int, found: int, total: int) -> QuerySet[InboxItem]:
    """The rows of one page, where ``found`` of ``total`` items are ``items``: by few steps in a large inbox, too."""
    rows = items.select_related("notice")
    # Three of a hundred thousand: rather sort those that are found than walk through all until a page is full. A
    # database that has an order by index would walk, so it is hidden from it.
    if found * found < (start + size) * total:
        return rows.order_by((F("pk") + 0).desc())[start : start + size]
    if start:
        # What is before the page is passed in the index, and not loaded to be thrown away.
        first = items.order_by("-pk").values("pk")[start : start + 1]
        rows = rows.filter(pk__lte=Subquery(first))
    return rows.order_by("-pk")[:size]


def find_versions(owners: Collection[str]) -> dict[str, Version]:
    """How new these inboxes are where they are written, each found by its ``owner``.

    In one query, so no more than a thousand at once.
    """
    found = (
        InboxItem.objects.using(router.db_for_write(InboxItem))
        .filter(owner__in=owners, status=ItemStatus.ACTIVE)
        .order_by()
    )
    rows: Any = found.values("owner").annotate(**_VERSION)
    versions = {row.pop("owner"): Version(**row) for row in rows}
    return {owner: versions.get(owner, Version()) for owner in owners}


def find_items(user: Any) -> QuerySet[InboxItem]:
    """What the inbox of this user lists."""
    return InboxItem.objects.filter(owner=find_owner(user), status=ItemStatus.ACTIVE)


def find_items_about(user: Any, model: type[Model] | str) -> QuerySet[InboxItem]:
    """What of it is about objects of a model: the class, its label (``"blog.Post"``) or its name."""
    name = model if isinstance(model, str) else model._meta.label
    by_name = Q(notice__model__iexact=name) if "." in name else Q(notice__model__iendswith=f".{name}")
    return find_items(user).filter(by_name)


def find_item(user: Any, uid: Any) -> InboxItem:
    """One item that the inbox of this user lists, with its notice.

    Raises:
        InboxRequestRefused: It is not listed there, whatever the reason.
    """
    item = find_items(user).select_related("notice").filter(uid__in=clean_uids([uid])).first()
    if item is None:
        raise InboxRequestRefused("notification_uids", NOT_FOUND)
    return item


def clean_uids(uids: Iterable[Any]) -> set[UUID]:
    """The uids, each a UUID or its text.

    Raises:
        InboxRequestRefused: One of them is neither.
    """
    try:
        return {uid if isinstance(uid, UUID) else UUID(uid) for uid in uids}
    except (TypeError, ValueError, AttributeError):
        raise InboxRequestRefused("notification_uids", "a list of UUIDs is expected") from None


def _clean_number(name: str, value: Any, *, default: int) -> int:
    if value is None:
        return default
    is_digits = isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10
    number = int(value) if is_digits else value
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 10**9:
        raise InboxRequestRefused(name, "a number from 1 is expected")
    return number


def _clean_filter(value: Any) -> bool | None:
    text = value.lower() if isinstance(value, str) else value
    if isinstance(text, bool | None):
        return text
    if isinstance(text, str) and text in _FILTERS:
        return _FILTERS[text]
    raise InboxRequestRefused("is_read", "true or false is expected")
