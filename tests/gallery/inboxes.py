"""Inboxes at a fixed moment, without a database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

from channels_progress.models import InboxItem, Notice
from channels_progress.notifications.pages import InboxPage, Version
from tests.gallery.lives import NOW_MS

NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)


@dataclass(frozen=True, slots=True)
class Kept:
    """One notification in somebody's inbox."""

    text: str
    level: str = "info"
    url: str = ""
    age_s: float = 60
    is_read: bool = False


@contextmanager
def keep(kept: Sequence[Kept]) -> Iterator[None]:
    """Everybody's inbox has these, the newest first, and it is ``NOW``."""
    items = [_make(number, one) for number, one in enumerate(kept, 1)]

    def read_page(user: Any, **options: Any) -> InboxPage:
        return InboxPage(items, Version(len(items), sum(one.is_read for one in kept)), 1, 25, len(items))

    with ExitStack() as stack:
        stack.enter_context(patch("channels_progress.bell.read_page", read_page))
        stack.enter_context(patch("channels_progress.bell.timezone.now", lambda: NOW))
        yield


def _make(number: int, one: Kept) -> InboxItem:
    created_at = NOW - timedelta(seconds=one.age_s)
    return InboxItem(
        uid=UUID(int=number),
        notice=Notice(text=one.text, level=one.level, url=one.url),
        created_at=created_at,
        read_at=NOW if one.is_read else None,
    )
