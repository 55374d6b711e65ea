"""What the two packages that people come from get wrong, and what happens here instead: one fault after the other."""

from __future__ import annotations

import copy
import time
import tomllib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core import mail
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate

from channels_progress.models import DeliveryRecord, InboxItem, Notice
from channels_progress.notifications import anotify, hints, marks, notify
from channels_progress.rest import views
from tests.consumers.conftest import settled, store
from tests.consumers.hearing import OURS, ask, hear, opened, settle
from tests.consumers.sockets import make_socket
from tests.sent import Sent
from tests.tooling import ROOT

__all__ = ["settled", "store"]

#: Since what is sent goes out after the commit.
commits = pytest.mark.django_db(transaction=True)
sockets = pytest.mark.usefixtures("settled", "store")
Request = Callable[..., Response]


class Told(Sent):
    """The hints to pages."""

    def send(self, group: str, envelope: dict[str, Any]) -> None:
        self.deliver(group, envelope)


@pytest.fixture
def told(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """Hints go nowhere but here, and neither does anything else."""
    told = Told()
    monkeypatch.setattr(hints, "get_sender", lambda: told)
    return told


def request(user: User, method: str = "get", uid: str = "", **data: Any) -> Response:
    """Ask the API as this user."""
    asked = getattr(APIRequestFactory(), method)("/", data, **({} if method == "get" else {"format": "json"}))
    force_authenticate(asked, user)
    return views.item(asked, uid=uid) if uid else views.inbox(asked)


def say(user: User, count: int) -> list[str]:
    for number in range(count):
        notify(user, f"{number}")
    items = InboxItem.objects.filter(user_pk=str(user.pk)).order_by("pk")
    return [str(uid) for uid in items.values_list("uid", flat=True)]


# One user marks what is another's, by its uid.


@commits
def test_nobody_marks_what_is_anothers(alice: User, bob: User) -> None:
    [foreign], [own] = say(alice, 1), say(bob, 1)
    for action in ("MARK_AS_READ", "MARK_AS_REMOVED"):
        answers = [
            request(bob, "patch", action_choice=action, notification_uids=[own, uid]) for uid in (foreign, uuid4())
        ]
        refused = (400, {"notification_uids": ["not in this inbox"]})
        assert [(answer.status_code, answer.data) for answer in answers] == [refused, refused]
    assert list(InboxItem.objects.values_list("status", "read_at")) == [("ACTIVE", None)] * 2


# Somebody who was locked out connects.


@commits
@sockets
async def test_inactive_user_cannot_connect(transactional_db: None) -> None:
    user = await User.objects.acreate(username="carol", is_active=False)
    is_accepted, _ = await make_socket(offers=OURS, user=user).connect()
    assert is_accepted is False


@commits
def test_inactive_user_is_not_answered(alice: User) -> None:
    alice.is_active = False
    assert request(alice).status_code == 403


# What is no JSON, or no number, ends the consumer. As its own clients send it: tests/rest/test_sockets.py.


@commits
@sockets
@pytest.mark.parametrize(
    "wanted", [{"is_read": {}}, {"page": "x"}, {"page_size": 0}, {"page": -1}, {"page_size": 10**9}]
)
async def test_wrong_request_does_not_end_the_socket(alice: User, wanted: dict[str, Any]) -> None:
    async with opened(alice, offers=OURS) as socket:
        answer = await ask(socket, type="inbox", **wanted)
        assert (sorted(answer), answer["error"]["field"]) == (["error", "type", "v"], *wanted)
        assert (await ask(socket, type="inbox"))["pagination"]["total_items"] == 0


@commits
@sockets
async def test_null_stands_for_all(alice: User) -> None:
    await anotify(alice, "a")
    async with opened(alice, offers=OURS) as socket:
        answer = await ask(socket, type="inbox", is_read=None)
        assert answer["results"]["total_notifications"] == 1


@pytest.mark.parametrize(
    ("query", "status"), [({"page": "x"}, 404), ({"page_size": "0"}, 400), ({"is_read": "null"}, 400)]
)
def test_wrong_query_is_refused(alice: User, query: dict[str, str], status: int) -> None:
    assert request(alice, **query).status_code == status


# A page that was asked for once has the size it had then.


@commits
def test_page_has_the_size_that_is_asked_for_now(alice: User) -> None:
    say(alice, 5)
    sizes = [len(request(alice, page_size=size).data["notifications"]) for size in (2, 3, 2, 5)]
    assert sizes == [2, 3, 2, 5]


@commits
def test_page_shows_what_was_said_since(alice: User) -> None:
    say(alice, 1)
    assert request(alice).data["total_notifications"] == 1
    say(alice, 1)
    assert request(alice).data["total_notifications"] == 2


# Thirty rows that change at once are thirty messages to the same pages.


@commits
@pytest.mark.parametrize("change", [marks.mark_all_read, marks.remove_all])
def test_one_change_of_many_is_told_once(alice: User, told: Told, change: Callable[[User], int]) -> None:
    say(alice, 30)
    told.envelopes.clear()
    assert change(alice) == 30
    assert told.frames == [{"type": "inbox_changed"}]


@commits
def test_notice_for_many_is_told_once_to_each(make_user: Callable[..., User], told: Told) -> None:
    users = [make_user(f"user{number}") for number in range(5)]
    notify(users, "a")
    assert len(told.envelopes) == 5


# What is told before the commit may never have happened.


@commits
def test_nothing_is_sent_before_the_commit(alice: User, told: Told, sent: Sent) -> None:
    with transaction.atomic():
        notify(alice, "a", deliveries=["websocket", "email"])
        assert (told.envelopes, sent.envelopes) == ([], [])
    assert (len(told.envelopes), len(sent.envelopes)) == (1, 1)


@commits
def test_nothing_is_sent_after_a_rollback(alice: User, told: Told, sent: Sent) -> None:
    with transaction.atomic():
        notify(alice, "a", deliveries=["websocket", "email"])
        transaction.set_rollback(True)
    assert (told.envelopes, sent.envelopes, Notice.objects.count(), DeliveryRecord.objects.count()) == ([], [], 0, 0)


# Anybody joins any room, and says there what they like.


async def expect_only_bobs(socket: Any, alice: User, bob: User) -> None:
    await settle(socket)
    await anotify(alice, "for alice")
    await anotify(bob, "for bob")
    assert await hear(socket) == "for bob"


@commits
@sockets
async def test_nobody_joins_what_is_anothers(alice: User, bob: User) -> None:
    async with opened(bob, f'?extraChannels=["user:{alice.pk}","inbox:user:{alice.pk}"]') as socket:
        await expect_only_bobs(socket, alice, bob)


@commits
@sockets
async def test_nobody_joins_an_inbox_whatever_the_project_says(alice: User, bob: User, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "SUBSCRIPTION_AUTHORIZER": lambda *_: True}
    async with opened(bob, f'?extraChannels=["inbox:user:{alice.pk}"]') as socket:
        await expect_only_bobs(socket, alice, bob)


@commits
@sockets
async def test_nobody_speaks_to_others(alice: User) -> None:
    async with opened(alice, offers=OURS) as speaker, opened(alice) as listener:
        await settle(listener)
        await speaker.send_json_to({"message": "x", "type": "message", "text": "x"})
        assert (await speaker.receive_output())["type"] == "websocket.close"
        await anotify(alice, "the first")
        assert await hear(listener) == "the first"


# A countdown is slept through by whoever asks.


@commits
def test_nobody_waits_for_a_countdown(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"slept for {seconds} s"))
    before = timezone.now()
    notify(alice, "a", deliveries=["email"], countdown=3600)
    record = DeliveryRecord.objects.get()
    assert (record.state, record.due_at >= before + timedelta(hours=1), mail.outbox) == ("WAITING", True, [])


# What is sent only while it is unread is never sent.


@pytest.fixture
def tentative(alice: User) -> InboxItem:
    """Said to somebody with an address, half an hour ago."""
    User.objects.filter(pk=alice.pk).update(email="alice@example.com")
    notify(alice, "Please confirm", deliveries=["email"], countdown=1800, condition="unread")
    return InboxItem.objects.get()


def let_it_be_due() -> None:
    now = timezone.now()
    DeliveryRecord.objects.filter(state="WAITING").update(due_at=now, look_at=now)
    call_command("deliver_due")


@commits
def test_what_is_still_unread_is_sent(tentative: InboxItem) -> None:
    call_command("deliver_due")
    assert mail.outbox == []
    let_it_be_due()
    assert [message.to for message in mail.outbox] == [["alice@example.com"]]


@commits
def test_what_was_read_meanwhile_is_not_sent(tentative: InboxItem, alice: User) -> None:
    assert request(alice, uid=str(tentative.uid)).status_code == 200
    let_it_be_due()
    assert (mail.outbox, DeliveryRecord.objects.get().state) == ([], "CANCELLED")


# What a caller passes is not as it was.


def test_arguments_are_left_as_they_were(alice: User) -> None:
    data = {"context": {"bulk": True}, "rows": [1, {"a": None}]}
    changed = {"name": {"original": "a", "new": "b"}}
    before = copy.deepcopy((data, changed))
    notice = notify(alice, "a", data=data, changed=changed)
    notice.data["rows"].append(2)
    assert (data, changed) == before


def test_data_of_one_call_is_not_that_of_the_next(alice: User) -> None:
    assert [notify(alice, "a").data, notify(alice, "b", data={"c": 1}).data, notify(alice, "d").data] == [
        None, {"c": 1}, None,
    ]  # fmt: skip


# Both packages are the module ``notifications``, so a site can have one of them.


def test_nothing_of_ours_is_called_notifications() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    config = apps.get_app_config("channels_progress")
    assert (wheel["packages"], config.name, config.label) == (["channels_progress"], *["channels_progress"] * 2)
