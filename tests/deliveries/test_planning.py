"""What ``notify`` has delivered, when, and by whom."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from channels_progress.conf import get_namespace
from channels_progress.models import DeliveryRecord, InboxItem
from channels_progress.notifications import notify
from channels_progress.notifications.deliveries import dispatching
from channels_progress.notifications.deliveries.running import deliver
from channels_progress.notifications.deliveries.sweeping import Swept, deliver_due
from channels_progress.notifications.marks import mark_all_read, remove_all
from channels_progress.testing.broadcasts import capture
from tests.deliveries.ways import asked, namespaces, sent

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def configured(change_settings: Callable[..., None]) -> None:
    change_settings()


def test_toast_needs_no_record(alice: User) -> None:
    with capture() as toasts:
        notify(alice, "Hello", level="success", url="/here/", on_commit=False)
    assert [(toast.text, toast.level, toast.click_url) for toast in toasts.to(alice)] == [
        ("Hello", "success", "/here/")
    ]
    assert (DeliveryRecord.objects.count(), asked) == (0, [])


def test_late_toast_is_shown_when_it_is_due(alice: User) -> None:
    notify(alice, "Hello", countdown=60, on_commit=False)
    record = DeliveryRecord.objects.get()
    DeliveryRecord.objects.update(due_at=InboxItem.objects.get().created_at)
    with capture() as toasts:
        assert deliver(record.pk) == "SUCCEEDED"
    assert [toast.text for toast in toasts.to(alice)] == ["Hello"]


def test_late_toast_is_not_needed_where_users_are_sent_nothing(alice: User, change_settings: Any) -> None:
    notify(alice, "Hello", countdown=60, on_commit=False)
    DeliveryRecord.objects.update(due_at=InboxItem.objects.get().created_at)
    change_settings(ENABLE_AUTHENTICATED=False)
    assert deliver(DeliveryRecord.objects.get().pk) == "CANCELLED"


def test_console_prints_once_for_all(alice: User, capsys: Any) -> None:
    bob = User.objects.create(username="bob")
    notify([alice, bob], "Hello\x1b[31m\nthere", deliveries=["console"], url="/here/", on_commit=False)
    assert capsys.readouterr().out == f"[info] to users {alice.pk}, {bob.pk}: Hello [31m there (/here/)\n"
    assert DeliveryRecord.objects.count() == 0


def test_late_console_prints_when_it_is_due(alice: User, capsys: Any) -> None:
    notify(alice, "Hello", deliveries=["console"], countdown=60, on_commit=False)
    DeliveryRecord.objects.update(due_at=InboxItem.objects.get().created_at)
    deliver(DeliveryRecord.objects.get().pk)
    assert capsys.readouterr().out == f"[info] to user {alice.pk}: Hello\n"


def test_nothing_leaves_before_the_commit(alice: User, capsys: Any, django_capture_on_commit_callbacks: Any) -> None:
    with capture() as toasts:
        with django_capture_on_commit_callbacks(execute=True):
            notify(alice, "Hello", deliveries=["websocket", "console", "recorder"])
            assert (len(toasts), capsys.readouterr().out, asked) == (0, "", [])
        assert (len(toasts), capsys.readouterr().out[:6], len(asked)) == (1, "[info]", 1)


def test_nothing_leaves_after_a_rollback(alice: User, capsys: Any, django_capture_on_commit_callbacks: Any) -> None:
    with (
        capture() as toasts,
        django_capture_on_commit_callbacks(execute=True),
        suppress(KeyError),
        transaction.atomic(),
    ):
        notify(alice, "Hello", deliveries=["websocket", "console", "recorder"])
        raise KeyError
    assert (len(toasts), capsys.readouterr().out, asked, DeliveryRecord.objects.count()) == (0, "", [], 0)


@pytest.mark.parametrize(
    ("countdown", "delivery", "due_s", "look_s", "is_asked"),
    [
        (0, "recorder", 0, 60, True),
        (600, "recorder", 600, 660, True),
        (timedelta(minutes=1), "recorder", 60, 120, True),
        (601, "recorder", 601, 601, False),
        (0, "digest", 60, 120, True),
        (590, "digest", 650, 650, False),
    ],
    ids=str,
)
def test_short_countdowns_are_asked_for_and_long_ones_wait_in_the_database(
    alice: User, countdown: Any, delivery: str, due_s: int, look_s: int, is_asked: bool
) -> None:
    notice = notify(alice, "Hello", deliveries=[delivery], countdown=countdown, on_commit=False)
    record = DeliveryRecord.objects.get()
    assert [(moment - notice.created_at).total_seconds() for moment in (record.due_at, record.look_at)] == [
        due_s,
        look_s,
    ]
    assert asked == ([([record.pk], record.due_at)] if is_asked else [])


def test_countdown_beyond_the_life_of_an_item_is_refused(alice: User, change_settings: Callable[..., None]) -> None:
    change_settings(INBOX_TTL_S=3600)
    with pytest.raises(ValueError, match=r"countdown is 3600; less than INBOX_TTL_S \(3600\) is expected"):
        notify(alice, "Hello", countdown=3600)


@pytest.mark.parametrize("mark", [mark_all_read, remove_all])
def test_tentative_one_is_cancelled_when_it_was_read(alice: User, mark: Callable[[User], int]) -> None:
    notify(alice, "Hello", deliveries=["recorder"], countdown=1800, condition="unread", on_commit=False)
    mark(alice)
    record = DeliveryRecord.objects.get()
    assert (record.state, record.done_at is not None, sent) == ("CANCELLED", True, [])


def test_tentative_one_is_sent_when_it_was_not(alice: User) -> None:
    notify(alice, "Hello", deliveries=["recorder"], countdown=1800, condition="unread", on_commit=False)
    record = DeliveryRecord.objects.get()
    assert (deliver(record.pk), sent) == (None, [])
    DeliveryRecord.objects.update(due_at=InboxItem.objects.get().created_at)
    assert (deliver(record.pk), sent) == ("SUCCEEDED", [("recorder", "Hello")])


@pytest.mark.parametrize(("text", "state"), [("Short", "SUCCEEDED"), ("Much too long", "CANCELLED")])
def test_condition_is_asked_when_it_is_due(alice: User, text: str, state: str) -> None:
    notify(alice, text, deliveries=["recorder"], condition="tests.deliveries.ways.is_short", on_commit=False)
    record = DeliveryRecord.objects.get()
    assert deliver(record.pk) == state
    assert DeliveryRecord.objects.get().error == (
        ""
        if state == "SUCCEEDED"
        else "It was not needed any more: the condition 'tests.deliveries.ways.is_short' did not hold."
    )


def test_condition_that_fails_is_asked_again_later(alice: User, monkeypatch: Any) -> None:
    notify(alice, "Hello", deliveries=["recorder"], condition="tests.deliveries.ways.is_short", on_commit=False)
    monkeypatch.delattr("tests.deliveries.ways.is_short")
    deliver(DeliveryRecord.objects.get().pk)
    record = DeliveryRecord.objects.get()
    assert (record.state, record.attempts, sent) == ("WAITING", 1, [])
    assert record.error.startswith("condition 'tests.deliveries.ways.is_short': ValueError: ")


def test_broker_that_is_away_is_one_line_in_the_log(
    alice: User, change_settings: Callable[..., None], caplog: Any, monkeypatch: Any
) -> None:
    change_settings(DELIVERY_DISPATCHER="tests.deliveries.ways.refuse")
    for _ in range(3):
        notify(alice, "Hello", deliveries=["recorder"], on_commit=False)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "Deliveries wait for the periodic task: nobody takes them for now."
    ]
    monkeypatch.setattr(dispatching, "_ask_at", 0.0)
    change_settings()
    notify(alice, "Hello", deliveries=["recorder"], on_commit=False)
    assert (len(asked), DeliveryRecord.objects.filter(state="WAITING").count()) == (1, 4)


def test_without_celery_everything_waits_for_the_command(alice: User, change_settings: Any, monkeypatch: Any) -> None:
    change_settings(DELIVERY_DISPATCHER=None)
    monkeypatch.setattr(dispatching, "find_spec", lambda name: None)
    notify(alice, "Hello", deliveries=["recorder"], on_commit=False)
    assert DeliveryRecord.objects.get().state == "WAITING"


def test_here_carries_out_at_once(alice: User, change_settings: Callable[..., None]) -> None:
    change_settings(DELIVERY_DISPATCHER="channels_progress.notifications.deliveries.here.deliver_here")
    notify(alice, "Hello", deliveries=["recorder"], on_commit=False)
    notify(alice, "Later", deliveries=["recorder"], countdown=5, on_commit=False)
    assert sent == [("recorder", "Hello")]


def test_keys_that_the_database_does_not_tell_wait_for_the_periodic_task(alice: User, monkeypatch: Any) -> None:
    monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)
    notify(alice, "Hello", deliveries=["recorder"], on_commit=False)
    assert (asked, DeliveryRecord.objects.get().state) == ([], "WAITING")


def test_tenant_of_a_notification_is_the_one_it_was_said_in(alice: User, change_settings: Callable[..., None]) -> None:
    tenant = ["one"]
    change_settings(NAMESPACE=lambda: tenant[0])
    notify(alice, "Hello", deliveries=["recorder"], on_commit=False)
    tenant[0] = "two"
    assert deliver(DeliveryRecord.objects.get().pk) == "SUCCEEDED"
    assert (namespaces, get_namespace()) == (["one"], "two")


def test_several_mails_to_one_person_become_one(alice: User, change_settings: Callable[..., None]) -> None:
    change_settings(DELIVERIES={"email": {"digest_s": 600}}, SITE_URL="https://example.com")
    bob = User.objects.create(username="bob", email="bob@example.com")
    for text in ("One", "Two", "Three"):
        notify([alice, bob] if text == "One" else alice, text, deliveries=["email"], url="/here/", on_commit=False)
    assert (deliver_due(), mail.outbox) == (Swept(due=0, unknown=0), [])
    # Ten minutes later.
    DeliveryRecord.objects.update(due_at=F("due_at") - timedelta(seconds=600), look_at=timezone.now())
    deliver_due()
    assert [(message.to, message.subject) for message in mail.outbox] == [
        (["alice@example.com"], "3 new notifications"),
        (["bob@example.com"], "One"),
    ]
    assert mail.outbox[0].body.count("https://example.com/here/") == 3
    assert {*DeliveryRecord.objects.values_list("state", "attempts")} == {("SUCCEEDED", 1)}


def test_command_may_be_all_that_delivers(alice: User, change_settings: Callable[..., None], caplog: Any) -> None:
    change_settings(DELIVERY_DISPATCHER="channels_progress.notifications.deliveries.here.leave_to_command")
    notify(alice, "Hello", deliveries=["recorder"], on_commit=False)
    DeliveryRecord.objects.update(look_at=timezone.now())
    assert (sent, caplog.records) == ([], [])
    assert (deliver_due(), sent) == (Swept(due=1, unknown=0), [("recorder", "Hello")])
