"""How new an inbox is: told alike by one reading of it and by one query for many, and another whenever it changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from channels_progress.models import InboxItem
from channels_progress.notifications import notify
from channels_progress.notifications.frames import read_inbox
from channels_progress.notifications.marks import mark_read, remove
from channels_progress.notifications.pages import Version, find_versions, read_page
from channels_progress.notifications.people import find_owner
from tests.sent import Sent


@pytest.fixture(autouse=True)
def _nothing_leaves(sent: Sent) -> None:
    """Nobody listens."""


def test_each_change_makes_another_version_of_one_inbox(alias: str, make_user: Callable[..., User]) -> None:
    alice, bob = make_user("alice"), make_user("bob")
    owners = [find_owner(user) for user in (alice, bob)]
    versions = [find_versions(owners)]
    assert versions == [dict.fromkeys(owners, Version())]

    def change(function: Callable[..., Any], *args: Any) -> None:
        function(alice, *args)
        versions.append(find_versions(owners))
        assert versions[-1][owners[0]] == read_page(alice).version != versions[-2][owners[0]]
        assert versions[-1][owners[1]] == Version()

    change(notify, "first")
    change(notify, "second")
    first, second = InboxItem.objects.order_by("pk")
    change(mark_read, [first.uid])
    change(remove, [first.uid])
    change(mark_read, [second.uid])
    change(remove, [second.uid])
    assert versions[-1] == versions[0]


def test_of_many_inboxes_it_is_one_query_that_reads_no_rows(alice: User, bob: User) -> None:
    notify([alice, bob], "Hello", on_commit=False)
    with CaptureQueriesContext(connection) as queries:
        find_versions([find_owner(alice), find_owner(bob)])
    assert len(queries) == 1
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN " + queries[0]["sql"])
        plan = " ".join(row[-1] for row in cursor.fetchall())
    assert "COVERING INDEX channels_progress_counts" in plan


def test_sockets_read_where_inboxes_are_written(alice: User, settings: Any) -> None:
    class Replicated:
        def db_for_read(self, model: Any, **hints: Any) -> str | None:
            return "a replica that has nothing yet" if model._meta.app_label == "channels_progress" else None

    notify(alice, "Hello", on_commit=False)
    settings.DATABASE_ROUTERS = [Replicated()]
    frame = json.loads(read_inbox(alice, {}, {}).text)
    assert frame["results"]["unread_notifications"] == 1
