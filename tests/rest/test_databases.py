"""The API over each database."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db import connections
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIRequestFactory, force_authenticate

from channels_progress.models import InboxItem
from channels_progress.notifications import notify
from channels_progress.rest.views import inbox, item
from tests.notifications.conftest import alias

__all__ = ["alias"]


def ask(user: User, method: str, uid: str = "", **data: Any) -> Any:
    asked = getattr(APIRequestFactory(), method)("/", data, **({} if method == "get" else {"format": "json"}))
    force_authenticate(asked, user)
    answer = item(asked, uid=uid) if uid else inbox(asked)
    assert answer.status_code == 200, answer.data
    return answer.data


def read_texts(user: User, **query: Any) -> list[str]:
    return [each["notification"]["message"] for each in ask(user, "get", **query)["notifications"]]


def test_inbox_is_listed_read_and_emptied(alias: str) -> None:
    alice, bob = (User.objects.create(username=name) for name in ("alice", "bob"))
    for text in "abcde":
        notify([alice, bob], text, actor=bob, data={"é": [1, None]})
    assert read_texts(alice, page=2, page_size=2) == ["c", "b"]
    first, second, *_ = [each["uid"] for each in ask(alice, "get")["notifications"]]
    assert ask(alice, "get", first)["is_read"] is True
    ask(alice, "patch", second, status="REMOVED")
    assert (read_texts(alice, is_read="false"), read_texts(alice, is_read="true")) == (["c", "b", "a"], ["e"])
    assert ask(alice, "patch", action_choice="REMOVED_ALL")["total_notifications"] == 0
    assert read_texts(bob) == ["e", "d", "c", "b", "a"]


def test_number_of_queries_does_not_grow(alias: str) -> None:
    alice = User.objects.create(username="alice")
    for _ in range(30):
        notify(alice, "a", actor=alice)
    counts = []
    for size in (1, 30):
        with CaptureQueriesContext(connections[alias]) as queries:
            assert len(read_texts(alice, page_size=size, is_read="false")) == size
        counts.append(len(queries))
    assert counts == [3, 3]
    uids = list(InboxItem.objects.values_list("uid", flat=True))
    with CaptureQueriesContext(connections[alias]) as queries:
        ask(alice, "patch", action_choice="MARK_AS_READ", notification_uids=[str(uid) for uid in uids])
    assert len(queries) < 12
