"""Stored messages: what ``persist`` stores, what is sent when, and what the models offer to a project."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction

from channels_progress import (
    asend_to_user,
    inbox,
    progress_channel,
    redirect_user,
    send_to_all,
    send_to_anonymous,
    send_to_object,
    send_to_user,
)
from channels_progress.models import Notification, Receipt
from tests.sent import Sent
from tests.tooling import ROOT

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice")


def read_waiting(user: User, **options: Any) -> list[Any]:
    return [next(iter(found.values.values())) for found in Notification.objects.unacknowledged(user, **options)]


def test_persisted_message_is_sent_with_the_id_that_is_acknowledged(sent: Sent, alice: User) -> None:
    assert send_to_user(alice, "Hi", persist=True, exclude="page-1") is True
    (stored,) = Notification.objects.all()
    assert sent.frames == [{"type": "message", "v": 1, "channel": f"user:{alice.pk}", "id": stored.pk, **stored.values}]
    assert [(envelope["id"], envelope["exclude"]) for envelope in sent.envelopes] == [(stored.pk, "page-1")]
    assert (stored.values["text"], stored.expires_at - stored.created_at) == ("Hi", timedelta(days=7))


def test_message_is_stored_only_where_asked_for(sent: Sent, alice: User) -> None:
    assert send_to_user(alice, "Hi") is True
    assert (Notification.objects.count(), "id" in sent.frames[0]) == (0, False)


def test_every_stored_percentage_reaches_a_slow_page(sent: Sent) -> None:
    progress_channel("a", 10, persist=True)
    progress_channel("a", 20)
    assert [envelope["kind"] for envelope in sent.envelopes] == ["k", "r"]


def test_lifetime_can_be_said(sent: Sent, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"NOTIFICATION_TTL_S": 60}
    send_to_all("a", persist=timedelta(hours=1))
    send_to_all("b", persist=True)
    kept = [stored.expires_at - stored.created_at for stored in Notification.objects.order_by("pk")]
    assert kept == [timedelta(hours=1), timedelta(minutes=1)]


@pytest.mark.parametrize(
    ("persist", "error"),
    [(60, TypeError), ("1 day", TypeError), (None, TypeError), (timedelta(0), ValueError), (-timedelta(1), ValueError),
     (timedelta.max, ValueError)],
)  # fmt: skip
def test_odd_lifetime_is_refused_before_anything_happens(sent: Sent, persist: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="persist is "):
        send_to_all("a", persist=persist)
    assert (Notification.objects.count(), sent.frames) == (0, [])


def test_persisted_message_waits_for_the_commit(sent: Sent) -> None:
    with transaction.atomic():
        assert send_to_all("a", persist=True) is True
        assert sent.frames == []
    assert [frame["text"] for frame in sent.frames] == ["a"]


def test_what_is_rolled_back_is_neither_stored_nor_sent(sent: Sent) -> None:
    with transaction.atomic():
        send_to_all("a", persist=True)
        transaction.set_rollback(True)
    assert (Notification.objects.count(), sent.frames) == (0, [])


def test_message_waits_where_the_layer_is_away(sent: Sent, alice: User) -> None:
    sent.answer = False
    assert send_to_user(alice, "a", persist=True) is False
    assert read_waiting(alice) == ["a"]


def test_nothing_is_stored_for_an_audience_that_is_switched_off(sent: Sent) -> None:
    assert send_to_anonymous("a", persist=True) is None
    assert (Notification.objects.count(), sent.frames) == (0, [])


def test_async_code_stores_too(sent: Sent, alice: User) -> None:
    assert async_to_sync(asend_to_user)(alice, "a", persist=True) is True
    assert (read_waiting(alice), len(sent.frames)) == (["a"], 1)


def test_waiting_for_a_user_is_what_their_audiences_got(sent: Sent, alice: User, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"ENABLE_ANONYMOUS": True}
    bob = User.objects.create_user("bob")
    send_to_all("to all", persist=True)
    send_to_user(bob, "to Bob", persist=True)
    send_to_anonymous("to visitors", persist=True)
    redirect_user(alice, "/a/", persist=True)
    send_to_object(bob, "about Bob", persist=True)
    assert read_waiting(alice) == ["to all", "/a/"]
    assert read_waiting(alice, channels=[f"auth.user-{bob.pk}"]) == ["to all", "/a/", "about Bob"]


def test_acknowledging_one_takes_it_from_this_user_only(sent: Sent, alice: User) -> None:
    bob = User.objects.create_user("bob")
    send_to_all("a", persist=True)
    send_to_all("b", persist=True)
    first = Notification.objects.unacknowledged(alice)[0]
    first.acknowledge(alice)
    first.acknowledge(alice)
    assert (read_waiting(alice), read_waiting(bob)) == (["b"], ["a", "b"])
    assert inbox.find_unacknowledged(f"user:{alice.pk}", ["audience:all"], limit=9)[0].values["text"] == "b"


@pytest.mark.parametrize("nobody", [AnonymousUser(), None, "alice"])
def test_nobody_in_particular_has_no_inbox(sent: Sent, nobody: Any) -> None:
    send_to_all("a", persist=True)
    with pytest.raises(TypeError, match="user is "):
        Notification.objects.unacknowledged(nobody)
    with pytest.raises(TypeError, match="user is "):
        Notification.objects.get().acknowledge(nobody)


def test_nothing_waits_for_who_is_locked_out(sent: Sent, alice: User) -> None:
    send_to_all("a", persist=True)
    alice.is_active = False
    assert read_waiting(alice) == []


def test_redirect_of_an_object_is_stored_and_sent(sent: Sent, alice: User) -> None:
    stored = Notification.objects.send_redirect(alice, "/done/")
    channel = f"auth.user-{alice.pk}"
    assert sent.frames == [{"type": "redirect", "v": 1, "url": "/done/", "channel": channel, "id": stored.pk}]
    assert (stored.audience, stored.event) == ("object", {"type": "redirect", "url": "/done/"})


@pytest.mark.parametrize(("obj", "url"), [(User(), "/a/"), (object(), "/a/"), (None, "javascript:alert(1)")])
def test_wrong_redirect_stores_nothing(sent: Sent, alice: User, obj: Any, url: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        Notification.objects.send_redirect(obj or alice, url)
    assert (Notification.objects.count(), sent.frames) == (0, [])


def test_sent_again_it_is_the_same_message(sent: Sent) -> None:
    send_to_all("a", persist=True)
    assert Notification.objects.get().send() is True
    assert sent.frames[0] == sent.frames[1]


def test_deleted_notification_needs_no_receipts_gone(sent: Sent, alice: User) -> None:
    send_to_all("a", persist=True)
    stored = Notification.objects.get()
    stored.acknowledge(alice)
    stored.delete()
    assert (read_waiting(alice), Receipt.objects.count()) == ([], 1)
    inbox.prune(stored.expires_at)
    assert Receipt.objects.count() == 0


def test_functions_can_be_imported_before_there_are_models() -> None:
    program = "from channels_progress import send_to_all, redirect_user; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "channels_progress.models" not in done.stdout.split()
