"""The object that django-notifications-websocket documents."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from rest_framework.serializers import ModelSerializer

from channels_progress.models import InboxItem, Notice
from channels_progress.notifications import NotificationService, mark_read, notify

pytestmark = pytest.mark.django_db


class GroupSerializer(ModelSerializer):  # type: ignore[type-arg]
    class Meta:
        model = Group
        fields = "__all__"


@pytest.fixture
def editors(db: None) -> Group:
    return Group.objects.create(name="Editors")


def test_documented_use(alice: User, bob: User, editors: Group) -> None:
    service = NotificationService(
        requested_user=alice,
        message="New group",
        instance=editors,
        method="POST",
        user_list=User.objects.filter(is_active=True),
        serializer=GroupSerializer,
    )
    notice = service.create_notification()
    said = Notice.objects.values("text", "actor_pk", "action", "model", "instance", "changed", "recipients").get()
    assert said == {
        "text": "New group", "actor_pk": str(alice.pk), "action": "POST", "model": "auth.Group",
        "instance": {"id": editors.pk, "name": "Editors", "permissions": []}, "changed": {}, "recipients": 2,
    }  # fmt: skip
    assert {item.user_pk for item in notice.items.all()} == {str(alice.pk), str(bob.pk)}


@pytest.mark.parametrize("method", ["PUT", "patch"])
def test_what_saving_would_change_is_kept(alice: User, editors: Group, method: str) -> None:
    editors.name = "Authors"
    notice = NotificationService(alice, "Renamed", editors, method, [alice]).create_notification()
    assert (notice.action, notice.changed) == (
        method.upper(),
        {"name": {"original": "Editors", "new": "Authors"}},
    )


def test_options_of_notify_are_taken(alice: User, editors: Group) -> None:
    service = NotificationService(alice, "a", editors, user_list=alice)
    notice = service.create_notification(kind="groups", url="/groups/", data={"a": 1}, changed={"b": 2})
    assert (notice.kind, notice.url, notice.data, notice.changed) == ("groups", "/groups/", {"a": 1}, {"b": 2})
    assert notice.action == "UNDEFINED"


@pytest.mark.parametrize("missing", ["requested_user", "message", "instance", "user_list"])
def test_what_is_missing_is_named(alice: User, editors: Group, missing: str) -> None:
    given: dict[str, Any] = {"requested_user": alice, "message": "a", "instance": editors, "user_list": [alice]}
    with pytest.raises(ValueError, match=f"^{missing} is missing"):
        NotificationService(**{**given, missing: None}).create_notification()
    assert Notice.objects.count() == 0


@pytest.mark.parametrize("method", ["STEAL", "", 5])
def test_unknown_method_is_refused(method: Any) -> None:
    with pytest.raises(ValueError, match=r"method is .+; one of GET, POST, PUT, PATCH, DELETE, UNDEFINED"):
        NotificationService(method=method)


def test_own_notifications_are_listed_and_counted(alice: User, bob: User, django_assert_num_queries: Any) -> None:
    for text in ("a", "b"):
        notify([alice, bob], text)
    notify(bob, "of bob")
    mark_read(alice, InboxItem.objects.filter(user_pk=alice.pk).values_list("uid", flat=True)[:1])
    with django_assert_num_queries(2):
        found = NotificationService(requested_user=alice).get_requested_user_notifications()
        found["notifications"] = [(item.notice.text, item.is_read) for item in found["notifications"]]
    assert found == {
        "notifications": [("b", False), ("a", True)],
        "total_notifications": 2,
        "read_notifications": 1,
        "unread_notifications": 1,
    }


@pytest.mark.parametrize("model", ["Group", "group", "auth.Group", Group])
def test_own_notifications_about_a_model(alice: User, bob: User, editors: Group, model: Any) -> None:
    notify([alice, bob], "group", instance=editors)
    notify(alice, "user", instance=bob)
    notify(alice, "nothing")
    found = NotificationService(requested_user=alice).get_model_notifications(model)
    assert [(item.user_pk, item.notice.text) for item in found] == [(str(alice.pk), "group")]


@pytest.mark.parametrize("model", ["roup", "Gro%", "", "auth_Group"])
def test_model_is_found_by_its_whole_name(alice: User, editors: Group, model: str) -> None:
    notify(alice, "group", instance=editors)
    assert not NotificationService(requested_user=alice).get_model_notifications(model)


@pytest.mark.parametrize("ask", ["get_requested_user_notifications", "get_model_notifications"])
def test_nobody_in_particular_is_refused(ask: str) -> None:
    arguments = ["Group"] if ask == "get_model_notifications" else []
    with pytest.raises(ValueError, match=r"^requested_user is missing"):
        getattr(NotificationService(), ask)(*arguments)
