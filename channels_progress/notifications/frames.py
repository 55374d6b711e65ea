"""Inboxes as text for sockets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.core.serializers.json import DjangoJSONEncoder
from django.db import router

from channels_progress.exceptions import InboxRequestRefused
from channels_progress.models import InboxItem
from channels_progress.notifications.pages import InboxPage, Version, read_page
from channels_progress.notifications.shapes import describe_page

__all__ = ["InboxReading", "read_inbox", "read_inbox_again"]

# What a project shows of people, and has as their keys, is its own: UUIDs, dates, decimal numbers.
_encoder = DjangoJSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class InboxReading(NamedTuple):
    """One page of an inbox as it was.

    Attributes:
        text: The frame.
        page: Which page it is.
        version: How new the inbox was.
    """

    text: str
    page: int
    version: Version


def read_inbox(user: Any, request: Mapping[str, Any], head: Mapping[str, Any]) -> InboxReading:
    """Read what was asked for: the keyword arguments of ``read_page``, which says what it raises.

    Args:
        head: What the frame begins with.
    """
    return _encode(user, _read(user, request), head)


def read_inbox_again(user: Any, request: Mapping[str, Any], head: Mapping[str, Any]) -> InboxReading:
    """The same after something has changed: in the place of a page that is no longer there, the last one."""
    try:
        page = _read(user, request)
    except InboxRequestRefused:
        page = _read(user, {**request, "page": 1})
        if page.total_pages > 1:
            page = _read(user, {**request, "page": page.total_pages})
    return _encode(user, page, head)


def _read(user: Any, request: Mapping[str, Any]) -> InboxPage:
    # Where it is written: what was told just now a replica may not have yet, and would not be told again.
    return read_page(user, **request, using=router.db_for_write(InboxItem))


def _encode(user: Any, page: InboxPage, head: Mapping[str, Any]) -> InboxReading:
    return InboxReading(_encoder.encode({**head, **describe_page(user, page)}), page.page, page.version)
