"""Pages of an inbox: the same rows whichever way they are found, and few steps to find a few among many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_progress.models import InboxItem
from channels_progress.notifications import notify
from channels_progress.notifications.pages import find_items, read_page
from tests.sent import Sent


@pytest.fixture(autouse=True)
def _nothing_leaves(sent: Sent) -> None:
    """Nobody listens."""


def fill(user: User, count: int, *, read: int) -> None:
    for number in range(count):
        notify(user, f"Text {number}", deliveries=[])
    oldest = list(find_items(user).order_by("pk").values_list("pk", flat=True)[:read])
    InboxItem.objects.filter(pk__in=oldest).update(read_at=timezone.now())


@pytest.mark.parametrize("read", [0, 1, 7, 11, 12])
def test_pages_have_each_item_once_newest_first(alias: str, make_user: Callable[..., User], read: int) -> None:
    alice, bob = make_user("alice"), make_user("bob")
    for user in (bob, alice, bob):
        fill(user, 12, read=read)
    pks = {
        None: list(find_items(alice).order_by("-pk").values_list("pk", flat=True)),
        True: list(find_items(alice).filter(read_at__isnull=False).order_by("-pk").values_list("pk", flat=True)),
        False: list(find_items(alice).filter(read_at__isnull=True).order_by("-pk").values_list("pk", flat=True)),
    }
    for is_read, expected in pks.items():
        for size in (1, 5, 12, 100):
            first = read_page(alice, page_size=size, is_read=is_read)
            pages = [read_page(alice, page=n + 1, page_size=size, is_read=is_read) for n in range(first.total_pages)]
            assert [item.pk for page in pages for item in page.items] == expected


def test_few_among_many_are_found_by_the_index_of_what_is_read(alice: User) -> None:
    fill(alice, 30, read=29)
    with CaptureQueriesContext(connection) as queries:
        page = read_page(alice, is_read=False)
    assert [item.notice.text for item in page.items] == ["Text 29"]
    assert "USING INDEX channels_progress_counts" in explain(queries[-1]["sql"])


def test_nothing_is_looked_for_where_there_is_none(alice: User) -> None:
    fill(alice, 3, read=3)
    with CaptureQueriesContext(connection) as queries:
        assert read_page(alice, is_read=False).items == []
    assert len(queries) == 1


def explain(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        rows: list[Any] = cursor.fetchall()
    return " ".join(row[-1] for row in rows)
