"""Whoever is deleted leaves nothing behind, and nobody else loses anything; what has expired is pruned."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models.signals import post_delete
from django.test.utils import isolate_apps
from django.utils import timezone

from channels_progress import inbox
from channels_progress.models import DeliveryRecord, InboxItem, Notice, NotificationPreference
from channels_progress.notifications import notify, set_preference
from channels_progress.notifications.forgetting import connect_receivers
from channels_progress.notifications.pages import read_page


@pytest.fixture
def people(alias: str) -> tuple[User, User]:
    """Two on each database in turn, each with a notice of their own and one that both have."""
    ada, ben = User.objects.create(username="ada"), User.objects.create(username="ben")
    for recipients, text in (([ada, ben], "both"), (ada, "ada's"), (ben, "ben's")):
        notify(recipients, text, countdown=60)
    for user in (ada, ben):
        set_preference(user, False, kind="news")
    return ada, ben


def texts(user: User) -> list[str]:
    return [item.notice.text for item in read_page(user).items]


def count_rows() -> list[int]:
    return [model.objects.count() for model in (Notice, InboxItem, DeliveryRecord, NotificationPreference)]


def test_deleted_user_leaves_nothing_behind(people: tuple[User, User]) -> None:
    ada, ben = people
    assert count_rows() == [3, 4, 4, 2]
    ada.delete()
    assert count_rows() == [2, 2, 2, 1]
    assert texts(ben) == ["ben's", "both"]


def test_users_deleted_together_leave_nothing_behind(people: tuple[User, User]) -> None:
    User.objects.all().delete()
    # What both had expires: nobody counts who is left.
    assert count_rows() == [1, 0, 0, 0]


def test_whom_a_rollback_keeps_keeps_everything(people: tuple[User, User], alias: str) -> None:
    with transaction.atomic(using=alias):
        people[0].delete()
        transaction.set_rollback(True, using=alias)
    assert count_rows() == [3, 4, 4, 2]


def test_same_key_in_another_namespace_is_another_person(people: tuple[User, User], settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"NAMESPACE": f"{settings.CHANNELS_PROGRESS['NAMESPACE']}.other"}
    people[0].delete()
    assert count_rows() == [3, 4, 4, 2]


@pytest.fixture
def staff(monkeypatch: Any) -> Iterator[Any]:
    """A proxy of users, there when receivers are connected."""
    with isolate_apps("tests"):

        class Staff(User):
            class Meta:
                proxy = True
                app_label = "tests"

    registry = SimpleNamespace(is_installed=apps.is_installed, get_models=lambda: [Staff, Group])
    monkeypatch.setattr("channels_progress.notifications.forgetting.apps", registry)
    connect_receivers()
    yield Staff
    post_delete.disconnect(sender=Staff, dispatch_uid="channels_progress.tests.Staff")


def test_proxy_of_users_is_heard_as_well(alice: User, staff: Any) -> None:
    notify(alice, "a")
    staff.objects.get().delete()
    assert InboxItem.objects.count() == 0


def test_deleting_something_else_asks_nothing(db: None, django_assert_num_queries: Any) -> None:
    group = Group.objects.create(name="Editors")
    with django_assert_num_queries(3):
        group.delete()


def test_expired_notices_are_pruned_with_all_that_is_theirs(people: tuple[User, User], monkeypatch: Any) -> None:
    monkeypatch.setattr(inbox, "PRUNED_IN_ONE_STEP", 2)
    later = timezone.now() + timedelta(days=91)
    assert [inbox.count_expired(), inbox.prune(), inbox.count_expired(later)] == [0, 0, 3]
    assert inbox.prune(later) == 3
    assert count_rows() == [0, 0, 0, 2]
