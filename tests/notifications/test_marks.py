"""Reading and removing, on each database: one's own, all of it or none, however much there is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test.utils import CaptureQueriesContext

from channels_progress.exceptions import InboxRequestRefused
from channels_progress.models import DeliveryRecord, InboxItem
from channels_progress.notifications import mark_all_read, mark_read, notify, remove, remove_all
from channels_progress.notifications.marks import set_status
from channels_progress.notifications.pages import read_page
from tests.store.databases import call_at_once

MANY = 2_000


@pytest.fixture
def ada(alias: str) -> User:
    """A user on each database in turn."""
    return User.objects.create(username="ada")


@pytest.fixture
def ben(alias: str) -> User:
    return User.objects.create(username="ben")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str]]:
    """Whose pages were told of what they marked."""
    told: list[tuple[list[str], str]] = []
    monkeypatch.setattr(
        "channels_progress.notifications.marks.tell_changes", lambda pks, on_commit: told.append((pks, on_commit))
    )
    return told


def fill(user: User, number: int) -> list[Any]:
    """The uids of so many items of one notice."""
    notice = notify(user, "a", deliveries=())
    item = InboxItem.objects.get(notice=notice)
    values = {"owner": item.owner, "user_pk": item.user_pk, "notice": notice, "expires_at": item.expires_at}
    stamps = {"created_at": item.created_at, "updated_at": item.updated_at}
    more = InboxItem.objects.bulk_create(InboxItem(**values, **stamps) for _ in range(number - 1))
    return [item.uid, *(added.uid for added in more)]


def count(user: User) -> tuple[int, int]:
    """How many items the inbox has, and how many of them were read."""
    page = read_page(user)
    return page.total, page.read


def states() -> dict[str, str]:
    return dict(DeliveryRecord.objects.values_list("item__notice__text", "state"))


def test_marking_counts_what_it_has_changed(ada: User) -> None:
    first, second, third = fill(ada, 3)
    assert [mark_read(ada, [first, str(second)]), mark_read(ada, [first]), mark_all_read(ada)] == [2, 0, 1]
    assert [remove(ada, [third]), count(ada), remove_all(ada), remove_all(ada)] == [1, (2, 2), 2, 0]


def test_first_reading_is_when_it_was_read(ada: User) -> None:
    (uid,) = fill(ada, 1)
    mark_read(ada, [uid])
    read_at = InboxItem.objects.get().read_at
    mark_read(ada, [uid])
    mark_all_read(ada)
    assert InboxItem.objects.get().read_at == read_at


@pytest.mark.parametrize("mark", [mark_read, remove, lambda user, uids: set_status(user, uids[-1], "REMOVED")])
def test_what_is_of_somebody_else_looks_as_if_it_were_not_there(
    ada: User, ben: User, told: list[Any], mark: Callable[[User, list[Any]], Any]
) -> None:
    (own,), (foreign,) = fill(ada, 1), fill(ben, 1)
    reasons = set()
    for uid in (foreign, uuid4()):
        with pytest.raises(InboxRequestRefused) as refused:
            mark(ada, [own, uid])
        reasons.add((refused.value.field, refused.value.reason))
    assert reasons == {("notification_uids", "not in this inbox")}
    assert (count(ada), count(ben), told) == ((1, 0), (1, 0), [])


def test_whole_inbox_is_ones_own(ada: User, ben: User) -> None:
    fill(ada, 2)
    fill(ben, 2)
    mark_all_read(ada)
    remove_all(ada)
    assert (count(ada), count(ben)) == ((0, 0), (2, 0))


def test_pages_are_told_once_however_much_changes(ada: User, told: list[Any], alias: str) -> None:
    uids = fill(ada, 30)
    mark_read(ada, uids)
    mark_read(ada, uids)
    assert told == [([str(ada.pk)], alias)]


@pytest.mark.parametrize("mark", [mark_read, remove, mark_all_read, remove_all])
def test_big_inbox_needs_few_queries(ada: User, alias: str, mark: Callable[..., int]) -> None:
    uids = fill(ada, MANY)
    with CaptureQueriesContext(connections[alias]) as queries:
        assert mark(*((ada,) if "all" in mark.__name__ else (ada, uids))) == MANY
    # Items, then their deliveries; named ones are counted before, in as many parts as the database needs.
    # Django 6.1 knows that SQLite takes more than 999 values.
    parts = 3 if (connections[alias].features.max_query_params or MANY * 2) < MANY else 1
    counts, updates = ([], ["UPDATE"] * 2) if "all" in mark.__name__ else (["SELECT"] * parts, ["UPDATE"] * (parts + 1))
    assert [query["sql"].split()[0] for query in queries] == [*counts, "BEGIN", *updates, "COMMIT"]


def test_reading_cancels_what_waited_for_it_to_be_unread(ada: User, ben: User) -> None:
    for text in ("read", "removed", "other"):
        notify(ada, text, countdown=1800, condition="unread")
    notify(ada, "unconditional", countdown=1800)
    notify(ada, "silent", countdown=1800, condition="unread", silent=True)
    notify(ben, "of ben", countdown=1800, condition="unread")
    uids = dict(InboxItem.objects.values_list("notice__text", "uid"))
    mark_read(ada, [uids["read"], uids["unconditional"]])
    remove(ada, [uids["removed"]])
    assert states() == {
        "read": "CANCELLED", "removed": "CANCELLED", "other": "WAITING", "unconditional": "WAITING",
        "silent": "WAITING", "of ben": "WAITING",
    }  # fmt: skip
    mark_all_read(ada)
    assert (states()["other"], states()["of ben"]) == ("CANCELLED", "WAITING")


def test_people_are_notified_while_they_mark(ada: User, ben: User) -> None:
    uids = {user: fill(user, 20) for user in (ada, ben)}
    calls = [partial(mark_read, ada, uids[ada]), partial(mark_all_read, ben)]
    calls += [partial(notify, users, "a", countdown=60, condition="unread") for users in ([ada, ben], [ben, ada])]
    call_at_once(*calls)
    assert [count(user)[0] for user in (ada, ben)] == [22, 22]
    assert InboxItem.objects.filter(uid__in=uids[ada] + uids[ben], read_at__isnull=True).count() == 0
    # Whatever was read waits no longer, and what was not still does.
    waiting = DeliveryRecord.objects.filter(state="WAITING").values_list("item", flat=True)
    unread = InboxItem.objects.filter(read_at__isnull=True).values_list("pk", flat=True)
    assert sorted(waiting) == sorted(unread)


def test_item_can_be_given_any_status_while_it_is_listed(ada: User) -> None:
    (uid,) = fill(ada, 1)
    set_status(ada, uid, "ACTIVE")
    set_status(ada, uid, "DELETED")
    assert count(ada) == (0, 0)
    with pytest.raises(InboxRequestRefused, match="not in this inbox"):
        set_status(ada, uid, "ACTIVE")


@pytest.mark.parametrize("uids", ["all", None, 5, [5], [None], ["x"], [["x"]], {"a": 1}])
def test_what_is_no_list_of_uids_is_refused(alice: User, uids: Any) -> None:
    with pytest.raises(InboxRequestRefused, match="notification_uids: a list of UUIDs is expected"):
        mark_read(alice, uids)


def test_nothing_named_changes_nothing(alice: User, told: list[Any]) -> None:
    fill(alice, 1)
    assert (mark_read(alice, []), remove(alice, []), count(alice), told) == (0, 0, (1, 0), [])
