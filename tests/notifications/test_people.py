"""Whose keys they are: those of users, and of nobody else, whatever stands in the rows."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from channels_progress.models import DeliveryRecord
from channels_progress.notifications import notify
from channels_progress.notifications.deliveries.running import deliver
from channels_progress.notifications.pages import read_page
from channels_progress.notifications.shapes import describe_page


class Robot:
    """Logs in, and is no user: somebody else's authentication may have such ones."""

    is_authenticated = True

    def __init__(self, pk: Any) -> None:
        self.pk = pk


class Account(Group):
    """Something else that can log in, with keys of its own."""

    is_authenticated = True

    class Meta:
        proxy = True
        app_label = "auth"


@pytest.mark.parametrize("pk", ["robot-1", 2**70], ids=["text", "large number"])
def test_key_that_no_user_can_have_hides_nothing_else(alias: str, make_user: Any, pk: Any) -> None:
    alice = make_user("alice", email="alice@example.com")
    notify(alice, "Hello", actor=Robot(pk), deliveries=["email"], on_commit=False)
    [shown] = describe_page(alice, read_page(alice))["results"]["notifications"]
    assert (shown["user"]["id"], shown["created_by"]) == (alice.pk, None)


@pytest.mark.django_db
def test_actor_that_no_user_can_be_does_not_hold_up_a_delivery(alice: User, mailoutbox: Any) -> None:
    alice.email = "alice@example.com"
    alice.save()
    notify(alice, "Hello", actor=Robot("robot-1"), deliveries=["email"])
    assert deliver(DeliveryRecord.objects.get().pk) == "SUCCEEDED"
    assert [message.to for message in mailoutbox] == [["alice@example.com"]]


def test_object_of_another_model_is_nobody_whose_key_it_happens_to_have(alice: User) -> None:
    account = Account(pk=alice.pk, name="alice")
    with pytest.raises(TypeError, match="recipients is Account"):
        notify(account, "Not hers")
    with pytest.raises(TypeError, match="recipients has Account"):
        notify([account], "Not hers")
    with pytest.raises(TypeError, match="actor is Account"):
        notify(alice, "Not hers", actor=account)
    assert read_page(alice).items == []


@pytest.mark.parametrize(("first_name", "name"), [("Bob", "Bob"), ("", "")])
def test_address_that_somebody_logs_in_with_is_not_told(
    alice: User, make_user: Any, first_name: str, name: str
) -> None:
    bob = make_user("Bob@example.com", email="bob@example.com", first_name=first_name)
    notify(alice, "Hello", actor=bob, on_commit=False)
    [shown] = describe_page(alice, read_page(alice))["results"]["notifications"]
    assert shown["created_by"] == {"id": bob.pk, "name": name, "first_name": first_name, "last_name": ""}
