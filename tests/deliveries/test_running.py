"""A delivery is carried out once, and what became of it is written down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from channels_progress.exceptions import DeliveryNotNeeded, DeliveryRefused, DeliveryUncertain
from channels_progress.models import DeliveryRecord, InboxItem, NotificationPreference
from channels_progress.notifications import notify
from channels_progress.notifications.deliveries.running import deliver
from channels_progress.notifications.preferences import set_preference
from tests.deliveries.ways import Recorder, sent

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def configured(change_settings: Callable[..., None]) -> None:
    change_settings(DELIVERY_ATTEMPTS=2)


def notify_by(user: User, *deliveries: str, text: str = "Hello", **options: Any) -> DeliveryRecord:
    notice = notify(user, text, deliveries=deliveries or ["recorder"], on_commit=False, **options)
    return DeliveryRecord.objects.get(item__notice=notice, delivery=(deliveries or ["recorder"])[0])


def read(record: DeliveryRecord) -> dict[str, Any]:
    record.refresh_from_db()
    return {
        "state": record.state,
        "attempts": record.attempts,
        "claim": record.claim,
        "error": record.error,
        "done": record.done_at is not None,
    }


def make_due(record: DeliveryRecord) -> None:
    DeliveryRecord.objects.filter(pk=record.pk).update(due_at=timezone.now())


def test_delivery_that_waits_is_sent_once(alice: User) -> None:
    record = notify_by(alice)
    assert read(record) == {"state": "WAITING", "attempts": 0, "claim": "", "error": "", "done": False}
    assert [deliver(record.pk), deliver(record.pk)] == ["SUCCEEDED", None]
    assert sent == [("recorder", "Hello")]
    assert read(record) == {"state": "SUCCEEDED", "attempts": 1, "claim": "", "error": "", "done": True}


def test_delivery_before_its_time_is_left(alice: User) -> None:
    record = notify_by(alice, countdown=60)
    assert deliver(record.pk) is None
    assert (sent, read(record)["state"]) == ([], "WAITING")


def test_failure_is_tried_again_later_and_then_counts_as_failed(alice: User) -> None:
    record = notify_by(alice)
    Recorder.raises = lambda: ConnectionError("away")
    assert deliver(record.pk) == "WAITING"
    assert record.due_at < DeliveryRecord.objects.get(pk=record.pk).due_at
    assert deliver(record.pk) is None
    make_due(record)
    assert deliver(record.pk) == "FAILED"
    error = "ConnectionError: away"
    assert read(record) == {"state": "FAILED", "attempts": 2, "claim": "", "error": error, "done": True}


def test_failure_that_passes_ends_in_success(alice: User) -> None:
    record = notify_by(alice)
    Recorder.raises = lambda: ConnectionError("away")
    deliver(record.pk)
    Recorder.raises = None
    make_due(record)
    assert deliver(record.pk) == "SUCCEEDED"
    assert read(record) == {"state": "SUCCEEDED", "attempts": 2, "claim": "", "error": "", "done": True}


@pytest.mark.parametrize(
    ("error", "state", "done"),
    [
        (DeliveryRefused("no"), "FAILED", True),
        (DeliveryNotNeeded("no"), "CANCELLED", True),
        (DeliveryUncertain("no"), "UNKNOWN", False),
    ],
)
def test_what_a_delivery_raises_says_how_it_went(alice: User, error: Exception, state: str, done: bool) -> None:
    record = notify_by(alice)
    Recorder.raises = lambda: error
    assert deliver(record.pk) == state
    found = read(record)
    assert found.pop("error").endswith("no")
    assert found == {"state": state, "attempts": 1, "claim": "", "done": done}


def test_interruption_in_the_middle_is_unknown_and_passed_on(alice: User) -> None:
    record = notify_by(alice)
    Recorder.raises = lambda: SystemExit(3)
    with pytest.raises(SystemExit):
        deliver(record.pk)
    assert read(record)["state"] == "UNKNOWN"


def test_time_limit_in_the_middle_is_unknown(alice: User) -> None:
    record = notify_by(alice)
    Recorder.raises = lambda: TimeoutError("too long")
    assert deliver(record.pk, interruptions=(TimeoutError,)) == "UNKNOWN"
    assert sent == []


@pytest.mark.parametrize("gone", ["item", "person", "login"])
def test_what_has_nobody_to_go_to_is_cancelled(alice: User, gone: str) -> None:
    record = notify_by(alice)
    if gone == "item":
        InboxItem.objects.all().delete()
    elif gone == "person":
        # As where the users are in another database, and nothing tells of their end.
        User.objects.filter(pk=alice.pk)._raw_delete("default")
    else:
        User.objects.update(is_active=False)
    assert deliver(record.pk) == "CANCELLED"
    assert (sent, read(record)["state"]) == ([], "CANCELLED")


def test_delivery_that_is_no_more_is_tried_again_later(alice: User, change_settings: Callable[..., None]) -> None:
    record = notify_by(alice)
    change_settings(DELIVERIES={})
    assert deliver(record.pk) == "WAITING"
    assert "deliveries has 'recorder'" in read(record)["error"]


def test_digest_is_one_for_all_that_wait(alice: User) -> None:
    bob = User.objects.create(username="bob")
    records = [notify_by(alice, "digest", text=text) for text in ("one", "two")]
    other = notify_by(bob, "digest", text="his")
    DeliveryRecord.objects.update(due_at=timezone.now() + timedelta(seconds=30))
    make_due(records[1])
    assert deliver(records[1].pk) == "SUCCEEDED"
    assert sent == [("digest", "one", "two")]
    assert [read(record)["state"] for record in (*records, other)] == ["SUCCEEDED", "SUCCEEDED", "WAITING"]


def test_digest_takes_nothing_before_its_countdown_is_over(alice: User) -> None:
    record = notify_by(alice, "digest", text="now")
    later = notify_by(alice, "digest", text="later", countdown=10)
    make_due(record)
    deliver(record.pk)
    assert (sent, read(later)["state"]) == ([("digest", "now")], "WAITING")


@pytest.mark.parametrize("switch", [{}, {"delivery": "recorder"}, {"kind": "orders"}], ids=str)
def test_what_was_switched_off_while_it_waited_is_cancelled(alice: User, switch: dict[str, str]) -> None:
    record = notify_by(alice, kind="orders")
    # As by another process, between the claim and now: set_preference() cancels what waits.
    NotificationPreference.objects.create(owner=record.owner, user_pk=str(alice.pk), is_enabled=False, **switch)
    assert deliver(record.pk) == "CANCELLED"
    assert (sent, read(record)["error"]) == ([], "The person does not want it any more.")


def test_what_was_switched_off_besides_is_sent(alice: User) -> None:
    record = notify_by(alice, kind="orders")
    for switch in ({"delivery": "email"}, {"kind": "news"}, {"delivery": "recorder", "kind": "news"}):
        set_preference(alice, False, **switch)
    assert deliver(record.pk) == "SUCCEEDED"
