"""What people want, on each database; and ``manage.py init_notification_settings``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from channels_progress.models import DeliveryRecord, NotificationPreference
from channels_progress.notifications import get_preferences, notify, set_preference, wants
from channels_progress.notifications.pages import read_page
from channels_progress.testing.broadcasts import capture


@pytest.fixture
def ada(alias: str) -> User:
    """A user on each database in turn."""
    return User.objects.create(username="ada")


@pytest.fixture
def missing_table(transactional_db: None) -> Iterator[None]:
    with connection.schema_editor() as editor:
        editor.delete_model(NotificationPreference)
    yield
    with connection.schema_editor() as editor:
        editor.create_model(NotificationPreference)


def init() -> str:
    out = StringIO()
    call_command("init_notification_settings", stdout=out)
    return out.getvalue()


def test_everything_is_wanted_by_who_has_not_chosen(ada: User) -> None:
    assert NotificationPreference.objects.count() == 0
    assert get_preferences(ada) == {("", ""): True}
    assert get_preferences(ada) == {("", ""): True}
    assert NotificationPreference.objects.count() == 1


def test_choices_are_kept_apart_and_can_be_changed(ada: User) -> None:
    set_preference(ada, False, delivery="email")
    set_preference(ada, False, kind="news")
    set_preference(ada, True, delivery="email", kind="orders")
    set_preference(ada, True, kind="news")
    assert get_preferences(ada) == {
        ("", ""): True, ("", "news"): True, ("email", ""): False, ("email", "orders"): True,
    }  # fmt: skip


def test_no_wins(ada: User) -> None:
    set_preference(ada, False, delivery="email")
    set_preference(ada, True, delivery="email", kind="orders")
    set_preference(ada, False, kind="news")
    asked = [(), ("email",), ("websocket",), ("", "orders"), ("email", "orders"), ("websocket", "news")]
    answers = [wants(ada, **dict(zip(("delivery", "kind"), names, strict=False))) for names in asked]
    assert answers == [True, False, True, True, False, False]


def test_choices_are_those_of_one_person_in_one_namespace(ada: User, settings: Any) -> None:
    set_preference(ada, False)
    assert not wants(ada)
    assert wants(User.objects.create(username="bob"))
    settings.CHANNELS_PROGRESS = {"NAMESPACE": f"{settings.CHANNELS_PROGRESS['NAMESPACE']}.other"}
    assert wants(ada)


def test_who_has_switched_everything_off_gets_nothing_any_more(ada: User) -> None:
    notify(ada, "before")
    set_preference(ada, False)
    with capture() as sent:
        assert notify([ada], "after").recipients == 0
    assert ([item.notice.text for item in read_page(ada).items], sent) == (["before"], [])
    set_preference(ada, True)
    assert notify([ada], "again").recipients == 1


@pytest.mark.parametrize(
    ("switch", "cancelled"),
    [
        ({}, ["console news", "console orders", "email news", "email orders"]),
        ({"delivery": "email"}, ["email news", "email orders"]),
        ({"kind": "news"}, ["console news", "email news"]),
        ({"delivery": "email", "kind": "news"}, ["email news"]),
    ],
    ids=str,
)
def test_what_waits_and_is_not_wanted_any_more_is_cancelled(ada: User, switch: Any, cancelled: list[str]) -> None:
    for kind in ("news", "orders"):
        notify([ada, User.objects.create(username=kind)], "a", deliveries=["console", "email"], countdown=60, kind=kind)
    set_preference(ada, False, **switch)
    set_preference(ada, True, **switch)
    records = DeliveryRecord.objects.filter(state="CANCELLED").order_by("delivery", "item__notice__kind")
    assert [f"{record.delivery} {record.item.notice.kind}" for record in records] == cancelled
    assert {record.item.user_pk for record in records} == {str(ada.pk)}
    assert DeliveryRecord.objects.filter(state="WAITING").count() == 8 - len(cancelled)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"is_enabled": "no"}, TypeError, "is_enabled is 'no'; True or False"),
        ({"is_enabled": 0}, TypeError, "is_enabled is 0; True or False"),
        ({"delivery": "pigeon"}, ValueError, "delivery is 'pigeon'; one of console, email, websocket"),
        ({"delivery": None}, TypeError, "delivery is NoneType None; a string"),
        ({"delivery": []}, TypeError, r"delivery is list \[\]; a string"),
        ({"kind": "News"}, ValueError, "kind is 'News'"),
        ({"user": AnonymousUser()}, TypeError, "somebody who can log in"),
    ],
)
def test_impossible_choices_are_refused(alice: User, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        set_preference(**{"user": alice, "is_enabled": False, **options})
    assert NotificationPreference.objects.count() == 0


def test_command_writes_settings_of_who_has_none(alice: User, make_user: Callable[..., User]) -> None:
    set_preference(alice, False)
    make_user("bob", is_active=False)
    assert init() == "1 of 2 users have got notification settings.\n"
    assert init() == "0 of 2 users have got notification settings.\n"
    assert dict(NotificationPreference.objects.values_list("user_pk", "is_enabled")) == {
        str(user.pk): user != alice for user in User.objects.all()
    }


def test_command_writes_crowds_in_chunks(alias: str) -> None:
    User.objects.bulk_create(User(username=f"user{number}", password="!") for number in range(3_000))
    with CaptureQueriesContext(connections[alias]) as queries:
        assert init() == "3000 of 3000 users have got notification settings.\n"
    # One reading, and for each chunk a question and a transaction; SQLite takes fewer rows in one statement.
    assert len(queries) <= (32 if alias == "sqlite" else 9)
    assert init() == "0 of 3000 users have got notification settings.\n"


def test_missing_table_is_one_line_that_says_what_to_do(missing_table: None, make_user: Callable[..., User]) -> None:
    make_user("alice")
    with pytest.raises(CommandError, match=r"^The database refused: .+ \(Has manage.py migrate been run\?\)$"):
        init()
