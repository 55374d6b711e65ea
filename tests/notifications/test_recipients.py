"""Users of any kind, read in chunks: what is asked of them, and how much of it is in memory."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser, User
from django.db import connection, models
from django.test.utils import isolate_apps

from channels_progress.models import InboxItem
from channels_progress.notifications import notify, recipients
from channels_progress.notifications.pages import read_page
from channels_progress.notifications.recipients import stream_recipients
from tests.store.databases import Router


def make_people() -> Any:
    """A model of users of another kind: keys that are UUIDs, a property that says who is active."""
    with isolate_apps("tests"):

        class Person(AbstractBaseUser):
            id = models.UUIDField(primary_key=True, default=uuid.uuid4)
            status = models.CharField(max_length=1, default="a")

            class Meta:
                app_label = "tests"

            def __str__(self) -> str:
                return str(self.pk)

    return Person


@pytest.fixture
def person_model(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What ``AUTH_USER_MODEL`` names, with a table."""
    model = make_people()
    monkeypatch.setattr(recipients, "get_user_model", lambda: model)
    with connection.schema_editor() as editor:
        editor.create_model(model)
    yield model
    with connection.schema_editor() as editor:
        editor.delete_model(model)


def test_users_without_an_activity_are_all_active(person_model: Any, django_assert_num_queries: Any) -> None:
    people = [person_model.objects.create() for _ in range(3)]
    with django_assert_num_queries(1):
        (chunk,) = stream_recipients(person_model.objects.order_by("pk"), 10)
    assert chunk == sorted(str(person.pk) for person in people)


def test_property_that_says_who_is_active_is_asked(person_model: Any, django_assert_num_queries: Any) -> None:
    person_model.is_active = property(lambda person: person.status == "a")
    active, _ = person_model.objects.create(), person_model.objects.create(status="x")
    with django_assert_num_queries(1):
        assert [*stream_recipients(person_model.objects.all(), 10)] == [[str(active.pk)]]


def test_other_columns_of_users_are_not_read(alice: User, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1) as queries:
        assert [*stream_recipients(User.objects.select_related(None), 10)] == [[str(alice.pk)]]
    assert "password" not in queries.captured_queries[0]["sql"]


def test_what_is_counted_of_users_can_choose_them(alice: User, bob: User) -> None:
    with_groups = User.objects.annotate(number=models.Count("groups")).filter(number=0).order_by("number")
    assert [*stream_recipients(with_groups.distinct(), 10)] == [[str(alice.pk), str(bob.pk)]]
    assert [*stream_recipients(User.objects.order_by("-pk")[:1], 10)] == [[str(bob.pk)]]


def test_people_are_written_while_others_are_still_to_come(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels_progress.notifications.chunks.CHUNK_SIZE", 2)
    written = []

    def come() -> Iterator[User]:
        for number in range(5):
            written.append(InboxItem.objects.count())
            yield User.objects.create(username=str(number))

    assert notify(come(), "a").recipients == 5
    assert written == [0, 0, 2, 2, 4]


def test_who_is_named_in_two_chunks_gets_it_once(alice: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels_progress.notifications.chunks.CHUNK_SIZE", 1)
    assert notify([alice, bob, alice, User.objects.get(pk=bob.pk)], "a").recipients == 2
    assert [read_page(user).total for user in (alice, bob)] == [1, 1]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
def test_users_may_live_in_another_database(alice: User, own_databases: Any, settings: Any, kind: str) -> None:
    own_databases(kind)
    settings.DATABASE_ROUTERS = [Router(kind)]
    settings.CHANNELS_PROGRESS = {"NAMESPACE": f"test.{uuid.uuid4().hex}"}
    notify(User.objects.all(), "a", countdown=60)
    assert [item.notice.text for item in read_page(alice).items] == ["a"]
    assert InboxItem.objects.using("default").count() == 0
    alice.delete()
    assert InboxItem.objects.using(kind).count() == 0
