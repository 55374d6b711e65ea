"""``notify``: who gets what, by which ways, and that nothing leaves before the commit."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from channels_progress.conf import get_namespace
from channels_progress.inbox_tables import ItemStatus
from channels_progress.models import DeliveryRecord, InboxItem, Notice, NotificationPreference
from channels_progress.notifications import anotify, notify
from channels_progress.notifications.pages import read_page
from channels_progress.notifications.people import find_owner
from channels_progress.spaces import find_space
from channels_progress.testing.broadcasts import Sent, capture

pytestmark = pytest.mark.django_db
Hints = list[tuple[list[str], str | None]]
CROWD = 10_000


def read_texts(user: User) -> list[str]:
    return [item.notice.text for item in read_page(user).items]


def refuse(user: User, *, delivery: str = "", kind: str = "") -> None:
    NotificationPreference.objects.create(
        owner=find_owner(user), user_pk=str(user.pk), delivery=delivery, kind=kind, is_enabled=False
    )


def test_notice_holds_what_was_said(alice: User, bob: User) -> None:
    notice = notify(
        alice, "Paid", level="success", actor=bob, action="POST", url="/orders/1/", data={"sum": 3}, kind="orders"
    )
    assert Notice.objects.values().get() == {
        "id": notice.pk, "space": find_space(), "namespace": get_namespace(), "text": "Paid", "level": "success",
        "kind": "orders", "action": "POST",
        "url": "/orders/1/", "actor_pk": str(bob.pk), "model": "", "object_pk": "", "instance": None, "changed": {},
        "data": {"sum": 3}, "recipients": 1, "created_at": notice.created_at,
        "expires_at": notice.created_at + timedelta(seconds=7_776_000),
    }  # fmt: skip


def test_item_is_unread_and_as_old_as_its_notice(alice: User) -> None:
    notice = notify(alice, "a")
    item = InboxItem.objects.get()
    assert InboxItem.objects.values().get() == {
        "id": item.pk, "uid": item.uid, "owner": find_owner(alice), "user_pk": str(alice.pk), "notice_id": notice.pk,
        "status": "ACTIVE", "read_at": None, "created_at": notice.created_at, "updated_at": notice.created_at,
        "expires_at": notice.expires_at,
    }  # fmt: skip


def test_anonymous_actor_is_nobody(alice: User) -> None:
    assert notify(alice, "a", actor=AnonymousUser()).actor_pk == ""


@pytest.mark.parametrize(
    "choose",
    [
        lambda *users: [*users, users[0]],
        lambda *users: iter(users),
        lambda *users: {*users},
        lambda *users: User.objects.all(),
        lambda *users: User.objects,
        lambda *users: User.objects.only("username").select_related(None).order_by("-username"),
        lambda *users: User.objects.filter(username="alice").union(User.objects.exclude(username="alice")),
    ],
    ids=["list that names one twice", "iterator", "set", "queryset", "manager", "narrowed queryset", "union"],
)
def test_each_recipient_gets_it_once(alice: User, bob: User, choose: Callable[..., Any]) -> None:
    assert notify(choose(alice, bob), "a").recipients == 2
    assert (read_texts(alice), read_texts(bob)) == (["a"], ["a"])


def test_queryset_that_was_read_is_not_read_again(alice: User) -> None:
    users = User.objects.all()
    assert len(users) == 1
    User.objects.create(username="too late")
    assert notify(users, "a").recipients == 1


def test_inactive_users_are_left_out(alice: User, make_user: Callable[..., User]) -> None:
    gone = make_user("gone", is_active=False)
    assert [notify(them, "a").recipients for them in (User.objects.all(), [alice, gone], gone)] == [1, 1, 0]
    assert read_texts(gone) == []


def test_silent_one_is_delivered_and_not_listed(
    alice: User, hints: Hints, django_capture_on_commit_callbacks: Any
) -> None:
    with capture() as sent, django_capture_on_commit_callbacks(execute=True):
        notify(alice, "a", silent=True)
    assert (sent, read_texts(alice), hints) == ([Sent(alice, "a")], [], [])
    assert [item.status for item in InboxItem.objects.all()] == [ItemStatus.INACTIVE]


def test_pages_of_all_are_told_at_once_and_toasts_sent(
    alice: User, bob: User, hints: Hints, django_capture_on_commit_callbacks: Any
) -> None:
    with capture() as sent, django_capture_on_commit_callbacks(execute=True):
        notify([alice, bob], "a", level="warning", url="/a/")
    assert hints == [([str(alice.pk), str(bob.pk)], "default")]
    assert sent == [Sent(user, "a", level="warning", click_url="/a/") for user in (alice, bob)]


def test_nothing_but_the_inbox_without_deliveries(
    alice: User, hints: Hints, django_capture_on_commit_callbacks: Any
) -> None:
    with capture() as sent, django_capture_on_commit_callbacks(execute=True):
        notify(alice, "a", deliveries=())
    assert (sent, DeliveryRecord.objects.count(), len(hints)) == ([], 0, 1)


@pytest.mark.django_db(transaction=True)
def test_nothing_leaves_before_the_commit(make_user: Callable[..., User]) -> None:
    alice = make_user("alice")
    with capture() as sent:
        with transaction.atomic():
            notify(alice, "a")
            assert sent == []
        assert sent == [Sent(alice, "a")]


@pytest.mark.django_db(transaction=True)
def test_rolled_back_notice_was_never_there(make_user: Callable[..., User], hints: Hints) -> None:
    alice = make_user("alice")
    with capture() as sent, transaction.atomic():
        notify(alice, "a")
        transaction.set_rollback(True)
    assert (sent, Notice.objects.count(), read_texts(alice)) == ([], 0, [])


@pytest.mark.django_db(transaction=True)
def test_it_leaves_at_once_where_that_is_asked_for(make_user: Callable[..., User], hints: Hints) -> None:
    alice = make_user("alice")
    with capture() as sent, transaction.atomic():
        notify(alice, "a", on_commit=False)
        assert sent == [Sent(alice, "a")]
    assert hints == [([str(alice.pk)], None)]


def test_async_twin_is_called_what_it_is() -> None:
    assert (anotify.__name__, anotify.__doc__) == ("anotify", "As ``notify``, for async code.")
    assert inspect.iscoroutinefunction(anotify)
    assert inspect.signature(anotify) == inspect.signature(notify)


async def test_async_twin_takes_the_same(transactional_db: None) -> None:
    alice = await User.objects.acreate(username="alice")
    notice = await anotify(alice, "a", kind="orders")
    assert [(item.user_pk, item.notice_id) async for item in InboxItem.objects.all()] == [(str(alice.pk), notice.pk)]


@pytest.mark.parametrize(
    ("recipients", "error", "message"),
    [
        ("alice", TypeError, "recipients is str 'alice'; a user, an iterable of users or a queryset of users is"),
        ("", TypeError, "recipients is str ''"),
        (5, TypeError, "recipients is int 5"),
        ([5], TypeError, "recipients has int 5"),
        (None, TypeError, "recipients is NoneType None"),
        (User, TypeError, "recipients is ModelBase <class"),
        (AnonymousUser(), TypeError, "somebody who can log in is expected"),
        (User(username="new"), ValueError, "not saved yet"),
        (User.objects.values("pk"), TypeError, r"recipients is a queryset of other things than users \(auth.User\)"),
        (Notice.objects.all(), TypeError, r"other things than users \(channels_progress.Notice\)"),
    ],
    ids=[
        "name",
        "empty string",
        "number",
        "list of keys",
        "nobody",
        "class",
        "visitor",
        "unsaved",
        "values",
        "other model",
    ],
)
def test_wrong_recipients_are_refused(recipients: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        notify(recipients, "a")
    assert Notice.objects.count() == 0


def test_wrong_recipient_far_down_takes_back_everything(alice: User, hints: Hints) -> None:
    with pytest.raises(TypeError, match="recipients has str 'bob'"):
        notify([alice, "bob"], "a")
    assert (Notice.objects.count(), InboxItem.objects.count(), hints) == (0, 0, [])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"text": 5}, TypeError, "text is int 5; a string"),
        ({"level": "loud"}, ValueError, "level is 'loud'; one of debug"),
        ({"actor": 5}, TypeError, "actor is int 5; a user"),
        ({"instance": {}}, TypeError, r"instance is dict \{\}; a model's"),
        ({"serializer": dict}, TypeError, "serializer is given without an instance"),
        ({"action": 5}, TypeError, "action is int 5; a string"),
        ({"action": "x" * 65}, ValueError, "action is 'x+…; at most 64 characters"),
        ({"url": "https://elsewhere.example/"}, ValueError, "url is 'https://elsewhere.example/'; a path of this site"),
        ({"data": [1]}, TypeError, r"data is list \[1\]; a dict"),
        ({"data": {"a": {"b": {1}}}}, TypeError, r"data\['a'\]\['b'\] is set \{1\}; what JSON can hold is expected"),
        ({"changed": "a"}, TypeError, "changed is str 'a'; a dict"),
        ({"kind": "Orders"}, ValueError, "kind is 'Orders'; at most 64 of a-z"),
        ({"kind": None}, TypeError, "kind is NoneType None; a string"),
        ({"deliveries": "websocket"}, TypeError, "deliveries is 'websocket'; a list of names"),
        ({"deliveries": ["pigeon"]}, ValueError, "deliveries has 'pigeon'; .*websocket"),
        ({"countdown": "5"}, TypeError, "countdown is str '5'; a number"),
        ({"countdown": -1}, ValueError, "countdown is -1; it cannot be negative"),
        ({"countdown": float("nan")}, ValueError, "countdown is nan; a finite number"),
        ({"condition": "bored"}, ValueError, "condition is 'bored'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_wrong_arguments_are_refused(alice: User, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        notify(**{"recipients": alice, "text": "a", **options})
    assert (Notice.objects.count(), InboxItem.objects.count()) == (0, 0)


def test_what_is_delivered_later_has_a_record(alice: User) -> None:
    notice = notify(alice, "a", countdown=1800, condition="unread")
    record, item = DeliveryRecord.objects.get(), InboxItem.objects.get()
    assert DeliveryRecord.objects.values().get() == {
        "id": record.pk, "item_id": item.pk, "owner": item.owner, "delivery": "websocket", "state": "WAITING",
        "condition": "unread", "due_at": notice.created_at + timedelta(seconds=1800),
        "look_at": notice.created_at + timedelta(seconds=1800), "attempts": 0, "claim": "", "claimed_at": None,
        "done_at": None, "error": "", "expires_at": notice.expires_at,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("switch", "items", "toasts"),
    [
        ({}, 0, 0),
        ({"kind": "orders"}, 0, 0),
        ({"delivery": "websocket"}, 1, 0),
        ({"delivery": "websocket", "kind": "orders"}, 1, 0),
        ({"delivery": "email"}, 1, 1),
        ({"kind": "news"}, 1, 1),
        ({"delivery": "websocket", "kind": "news"}, 1, 1),
    ],
    ids=str,
)
def test_what_was_switched_off_does_not_come(
    alice: User, bob: User, django_capture_on_commit_callbacks: Any, switch: Any, items: int, toasts: int
) -> None:
    refuse(alice, **switch)
    with capture() as sent, django_capture_on_commit_callbacks(execute=True):
        assert notify([alice, bob], "a", kind="orders").recipients == items + 1
    assert (len(read_texts(alice)), len(sent.to(alice))) == (items, toasts)
    assert (len(read_texts(bob)), len(sent.to(bob))) == (1, 1)


def test_record_of_a_delivery_that_was_switched_off_is_not_made(alice: User, bob: User) -> None:
    refuse(alice, delivery="websocket")
    notify([alice, bob], "a", countdown=5)
    assert [record.owner for record in DeliveryRecord.objects.all()] == [find_owner(bob)]


def test_keys_are_found_where_the_database_does_not_tell_them(alice: User, bob: User, monkeypatch: Any) -> None:
    monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)
    notify([alice, bob], "a", countdown=5)
    items = dict(InboxItem.objects.values_list("owner", "pk"))
    assert dict(DeliveryRecord.objects.values_list("owner", "item_id")) == items


@pytest.mark.parametrize("countdown", [0, 5], ids=["toasts", "records"])
def test_crowd_needs_a_handful_of_queries(alias: str, hints: Hints, countdown: int) -> None:
    User.objects.bulk_create(User(username=f"user{number}", password="!") for number in range(CROWD))
    with capture() as sent, CaptureQueriesContext(connections[alias]) as queries:
        notice = notify(User.objects.filter(is_superuser=False), "a", countdown=countdown)
    assert (notice.recipients, InboxItem.objects.count()) == (CROWD, CROWD)
    assert len(DeliveryRecord.objects.all()) == (CROWD if countdown else 0)
    assert len(sent) == (0 if countdown else CROWD)
    assert [len(pks) for pks, _ in hints] == [CROWD]
    # A chunk of 2,500 is one query each for preferences, items and records. As Django has it, SQLite takes 999 values
    # at once: those of 111 items, or of 76 records.
    at_most = {"toasts": 120, "records": 260} if alias == "sqlite" else {"toasts": 13, "records": 17}
    assert len(queries) <= at_most["records" if countdown else "toasts"]
