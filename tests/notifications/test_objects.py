"""What a notice keeps of an object, of its changes, and of the caller's own data."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection, models
from django.db.models import F
from django.test.utils import isolate_apps
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy
from rest_framework.serializers import ModelSerializer

from channels_progress.models import Notice
from channels_progress.notifications import changed_fields, notify
from channels_progress.notifications.contents import JSON_MAX_LEVELS, copy_json
from channels_progress.notifications.objects import describe_instance, is_secret


class GroupSerializer(ModelSerializer):  # type: ignore[type-arg]
    class Meta:
        model = Group
        fields = ("name",)


@pytest.fixture
def shop() -> Iterator[Any]:
    """A model of things with a price, that has no table."""
    with isolate_apps("tests"):

        class Thing(models.Model):  # noqa: DJ008
            name = models.CharField(max_length=20)
            price = models.DecimalField(max_digits=8, decimal_places=2)
            made = models.DateField()
            manual = models.FileField()
            scan = models.BinaryField()
            maker = models.ForeignKey("self", models.DO_NOTHING, null=True, db_constraint=False)
            access_token = models.CharField(max_length=20)

            class Meta:
                app_label = "tests"

        yield Thing


@pytest.fixture
def thing(shop: Any) -> Any:
    return shop(
        id=7, name="Pump", price=Decimal("9.50"), made=date(2026, 1, 2), manual="a.pdf", scan=b"\xff", maker_id=3,
        access_token="abc",
    )  # fmt: skip


@pytest.fixture
def stored_thing(transactional_db: None, thing: Any) -> Iterator[Any]:
    """One that has a row."""
    with connection.schema_editor() as editor:
        editor.create_model(type(thing))
    thing.save()
    yield thing
    with connection.schema_editor() as editor:
        editor.delete_model(type(thing))


def test_columns_are_kept_without_secrets_and_bytes(thing: Any) -> None:
    assert describe_instance(thing) == {
        "id": 7, "name": "Pump", "price": "9.50", "made": "2026-01-02", "manual": "a.pdf", "maker": 3,
    }  # fmt: skip


def test_columns_that_were_not_loaded_are_left_out(django_assert_num_queries: Any, alice: User) -> None:
    user = User.objects.only("username").get()
    with django_assert_num_queries(0):
        assert describe_instance(user) == {"id": alice.pk, "username": "alice"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("password", True), ("passwordHash", True), ("api_key", True), ("apiKey", True), ("key", True), ("pin", True),
        ("accesstoken", True), ("client_secret", True), ("otp_code", True), ("session_key", True), ("PIN", True),
        ("keyword", False), ("monkey", False), ("author", False), ("pinned", False), ("passenger", False),
        ("id", False),
    ],
)  # fmt: skip
def test_names_tell_secrets(name: str, expected: bool) -> None:
    field: Any = models.CharField(name=name, primary_key=name == "key")
    assert is_secret(field) is expected


def test_class_of_a_column_tells_secrets() -> None:
    class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
        pass

    assert is_secret(EncryptedTextField(name="diary"))


@pytest.mark.parametrize("serializer", [GroupSerializer, lambda group: {"name": group.name}])
def test_serializer_says_what_is_kept(alice: User, serializer: Any) -> None:
    group = Group.objects.create(name="Editors")
    notify(alice, "a", instance=group, serializer=serializer)
    kept = Notice.objects.values("model", "object_pk", "instance").get()
    assert kept == {"model": "auth.Group", "object_pk": str(group.pk), "instance": {"name": "Editors"}}


def test_deleted_object_can_be_told_of(alice: User) -> None:
    group = Group.objects.create(name="Editors")
    group.delete()
    notify(alice, "a", instance=group)
    kept = Notice.objects.values("model", "object_pk", "instance").get()
    assert kept == {"model": "auth.Group", "object_pk": "", "instance": {"id": None, "name": "Editors"}}


@pytest.mark.parametrize(
    ("serializer", "message"),
    [
        (lambda group: group.name, r"serializer gave str 'Editors'; a dict is expected"),
        (lambda group: {"group": group}, r"instance\['group'\] is Group <Group: Editors>"),
    ],
)
def test_what_a_serializer_may_not_give(serializer: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        describe_instance(Group(name="Editors"), serializer)


def test_changes_are_what_differs_from_the_row(db: None) -> None:
    group = Group.objects.create(name="Editors")
    assert changed_fields(group) == {}
    group.name = "Authors"
    assert changed_fields(group) == {"name": {"original": "Editors", "new": "Authors"}}


def test_lazy_user_is_an_object_like_others(alice: User) -> None:
    lazy: Any = SimpleLazyObject(lambda: User.objects.get())
    lazy.first_name = "Alice"
    notice = notify(lazy, "a", actor=lazy, instance=lazy, changed=changed_fields(lazy))
    assert (notice.recipients, notice.actor_pk, notice.model, notice.object_pk) == (
        1, str(alice.pk), "auth.User", str(alice.pk),
    )  # fmt: skip
    assert notice.changed == {"first_name": {"original": "", "new": "Alice"}}


def test_change_is_one_query(db: None, django_assert_num_queries: Any) -> None:
    group = Group.objects.create(name="Editors")
    with django_assert_num_queries(1):
        changed_fields(group)


def test_secret_that_changed_is_not_told(alice: User) -> None:
    alice.set_password("new")
    alice.first_name = "Alice"
    assert changed_fields(alice) == {"first_name": {"original": "", "new": "Alice"}}


def test_what_a_form_left_as_text_is_compared_as_it_will_be_stored(stored_thing: Any) -> None:
    stored_thing.price, stored_thing.made, stored_thing.maker_id = "9.5", "2026-01-02", "3"
    assert changed_fields(stored_thing) == {}
    stored_thing.price, stored_thing.manual, stored_thing.maker_id = "9.6", "b.pdf", None
    assert changed_fields(stored_thing) == {
        "price": {"original": "9.50", "new": "9.6"},
        "manual": {"original": "a.pdf", "new": "b.pdf"},
        "maker": {"original": 3, "new": None},
    }


def test_new_value_that_only_the_database_knows_is_null(stored_thing: Any) -> None:
    stored_thing.price = F("price") + 1
    assert changed_fields(stored_thing) == {"price": {"original": "9.50", "new": None}}


def test_json_is_compared_key_by_key(alice: User) -> None:
    notice = notify(alice, "a", data={"same": [1], "gone": 1, "other": {"a": 1}})
    notice.data = {"same": (1,), "other": {"a": 2}, "added": None}
    assert changed_fields(notice) == {
        "data": {
            "gone": {"original": 1, "new": None},
            "other": {"original": {"a": 1}, "new": {"a": 2}},
            "added": {"original": None, "new": None},
        }
    }
    notice.data = None
    assert changed_fields(notice)["data"]["new"] is None


@pytest.mark.parametrize(
    ("instance", "error", "message"),
    [
        (Group(name="new"), ValueError, "auth.Group <Group: new> has no row"),
        (Group(pk=99, name="gone"), ValueError, "has no row"),
        ({"name": "a"}, TypeError, "instance is dict"),
    ],
)
def test_what_cannot_be_compared_is_refused(db: None, instance: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        changed_fields(instance)


def test_data_of_the_caller_is_left_as_it_is(alice: User) -> None:
    data: dict[str, Any] = {"list": [1, {"a": 2}], "context": {"b": 3}}
    given = copy.deepcopy(data)
    notice = notify(alice, "a", data=data, changed=data)
    assert data == given
    data["list"][1]["a"] = data["context"] = "later"
    assert (notice.data, notice.changed) == (given, given)


def test_copy_is_plain_json() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    given = {
        1: UUID(int=5), "price": Decimal("9.50"), "at": moment, "took": timedelta(seconds=5), "pair": (1, 2.5, True),
        "lazy": gettext_lazy("Yes"), "odd": "a\0b\ud800", "od\0d": None,
    }  # fmt: skip
    assert copy_json(given, "data") == {
        "1": "00000000-0000-0000-0000-000000000005", "price": "9.50", "at": "2026-01-02T03:04:05Z",
        "took": "P0DT00H00M05S", "pair": [1, 2.5, True], "lazy": "Yes", "odd": "a\ufffdb\ufffd", "od\ufffdd": None,
    }  # fmt: skip


def make_loop() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, object()]}, r"data\['a'\]\[1\] is object <object"),
        ({"a": float("nan")}, r"data\['a'\] is float nan"),
        ({"a": {(1, 2): 3}}, r"data\['a'\] is dict"),
        ({"a": make_loop()}, r"data\['a'\].* is list \[\[\.\.\.\]\]"),
        ({"a": b"bytes"}, r"data\['a'\] is bytes b'bytes'"),
    ],
    ids=["object", "nan", "key", "loop", "bytes"],
)
def test_what_cannot_be_json_is_named(value: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        copy_json(value, "data")


def nest(levels: int) -> dict[str, Any]:
    return {"a": nest(levels - 1)} if levels else {"b": 1}


def test_what_is_nested_as_deep_as_allowed_is_kept_everywhere(alias: str, make_user: Callable[..., User]) -> None:
    alice, data = make_user("alice"), nest(JSON_MAX_LEVELS - 1)
    notice = notify(alice, "a", data=data, deliveries=[], on_commit=False)
    notice.refresh_from_db()
    assert notice.data == data


@pytest.mark.parametrize("levels", [JSON_MAX_LEVELS, 900])
def test_what_is_nested_deeper_is_refused(levels: int) -> None:
    with pytest.raises(TypeError, match=r"^data has more than 30 dicts and lists in each other"):
        copy_json(nest(levels), "data")


@pytest.mark.parametrize("what", ["data", "changed"])
def test_what_is_too_long_for_pages_is_refused(alice: User, what: str) -> None:
    with pytest.raises(ValueError, match=f"^{what} is 100011 characters of JSON; no more than 100000 are kept"):
        notify(alice, "a", **{what: {"a": "x" * 100_002}})  # type: ignore[arg-type]
    notify(alice, "a", **{what: {"a": "x" * 99_991}})  # type: ignore[arg-type]


def test_what_a_serializer_gives_may_not_be_too_long() -> None:
    with pytest.raises(ValueError, match=r"^instance is 100008 characters"):
        describe_instance(Group(), lambda group: {"a": "x" * 99_999})


def test_long_columns_are_cut(alice: User) -> None:
    notice = notify(alice, "a", data={"short": 1, "long": "x" * 3_000}, changed={"x": [0] * 999})
    shown = describe_instance(notice)
    assert (shown["data"], shown["changed"]) == (None, None)
    notice.url = "/" * 3_000
    notice.data = {"short": 2, "long": "y" * 3_000}
    assert describe_instance(notice)["url"] == "/" * 1_999 + "…"
    assert changed_fields(notice) == {
        "url": {"original": "", "new": "/" * 1_999 + "…"},
        "data": {
            "short": {"original": 1, "new": 2},
            "long": {"original": "x" * 1_999 + "…", "new": "y" * 1_999 + "…"},
        },
    }


def test_texts_are_stored_by_every_database(alias: str) -> None:
    user = User.objects.create(username="alice")
    notify(user, "Zażółć\0 🐌", data={"a": "\0🐌", "b": "\ud83d"}, deliveries=())
    kept = Notice.objects.values("text", "data").get()
    assert kept == {"text": "Zażółć\ufffd 🐌", "data": {"a": "\ufffd🐌", "b": "\ufffd"}}
