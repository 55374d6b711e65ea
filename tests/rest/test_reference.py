"""A front end of django-notifications-websocket 2.0.1: what its documents show, asked for and answered as they say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse
from rest_framework.serializers import ModelSerializer

from channels_progress.notifications import NotificationService, notify
from tests.rest.front_end import LIST, FrontEnd

METHODS = ("POST", "PATCH", "GET", "DELETE", "PUT")
TOTAL = 10


class GroupSerializer(ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ("id", "name")


@pytest.fixture(autouse=True)
def as_documented(settings: Any) -> None:
    """The reference shows people by a serializer that the settings name."""
    settings.CHANNELS_PROGRESS = {"INBOX_USER_SERIALIZER": "channels_progress.rest.serializers.UserSerializer"}


@pytest.fixture
def blog() -> Group:
    return Group.objects.create(name="New Blog")


@pytest.fixture
def ten(front_end: FrontEnd, alice: User, bob: User, blog: Group) -> None:
    """Ten notifications for each of two people."""
    for number in range(TOTAL):
        notify(
            User.objects.all(), f"This is test notification {number}", actor=bob, instance=blog,
            action=METHODS[number % len(METHODS)], serializer=GroupSerializer,
        )  # fmt: skip


def read_counts(front_end: FrontEnd, query: str = "") -> tuple[int, int, int]:
    answer = front_end.get(query)
    assert answer.status == 200
    names = ("total_notifications", "read_notifications", "unread_notifications")
    total, read, unread = (answer.body[name] for name in names)
    return total, read, unread


def read_uids(front_end: FrontEnd, query: str = "") -> list[str]:
    return [each["uid"] for each in front_end.get(query).body["notifications"]]


def test_urls_have_the_names_of_the_reference(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.urls"
    uid = "9d032eaa-860e-4587-98ac-358c8b49741d"
    assert reverse("user-notification-list") == LIST
    assert reverse("user-notification-detail", args=[uid]) == f"{LIST}/{uid}"


def test_notification_has_every_field_that_is_documented(
    front_end: FrontEnd, alice: User, bob: User, blog: Group
) -> None:
    notify(
        alice, "New blog post by test user", actor=bob, instance=blog, action="POST", serializer=GroupSerializer,
        url="/blog/1/", kind="blog", level="success",
    )  # fmt: skip
    answer = front_end.get("?page=1&is_read=false")
    assert list(answer.body) == ["total_notifications", "read_notifications", "unread_notifications", "notifications"]
    [item] = answer.body["notifications"]
    moments = [datetime.fromisoformat(item.pop(name)) for name in ("created_at", "updated_at")]
    assert [moment.utcoffset() is not None for moment in moments] == [True, True]
    assert (isinstance(item.pop("id"), int), len(item.pop("uid"))) == (True, 36)
    # The last three of the notification are ours.
    assert item == {
        "user": {"id": alice.pk, "first_name": "Alice", "last_name": "Ada", "email": "alice@example.com"},
        "notification": {
            "message": "New blog post by test user",
            "model": "Group",
            "instance": {"id": blog.pk, "name": "New Blog"},
            "method": "POST",
            "changed_data": {},
            "level": "success",
            "kind": "blog",
            "url": "/blog/1/",
        },
        "is_read": False,
        "custom_info": None,
        "created_by": {"id": bob.pk, "first_name": "Bob", "last_name": "Babbage", "email": "bob@example.com"},
        "status": "ACTIVE",
    }


class TellingSerializer(GroupSerializer):
    """As its documents have one call the service: with the object as it will be, before it is saved."""

    def update(self, instance: Group, validated_data: Any) -> Group:
        instance.name = validated_data["name"]
        user = self.context["user"]
        NotificationService(
            requested_user=user, message=f"Blog '{instance.name}' updated by {user.username}", instance=instance,
            method="PUT", user_list=User.objects.filter(), serializer=GroupSerializer,
        ).create_notification()  # fmt: skip
        instance.save()
        return instance


def test_serializer_tells_what_it_changes(front_end: FrontEnd, alice: User, bob: User, blog: Group) -> None:
    serializer = TellingSerializer(blog, data={"name": "Newer Blog"}, context={"user": bob})
    serializer.is_valid(raise_exception=True)
    serializer.save()
    [item] = front_end.get().body["notifications"]
    assert item["created_by"]["id"] == bob.pk
    assert item["notification"] == {
        "message": "Blog 'Newer Blog' updated by bob",
        "model": "Group",
        "instance": {"id": blog.pk, "name": "Newer Blog"},
        "method": "PUT",
        "changed_data": {"name": {"original": "New Blog", "new": "Newer Blog"}},
        "level": "info",
        "kind": "",
        "url": None,
    }


@pytest.mark.usefixtures("ten")
def test_list_begins_with_the_newest(front_end: FrontEnd) -> None:
    assert read_counts(front_end) == (TOTAL, 0, TOTAL)
    newest = front_end.get().body["notifications"][0]["notification"]
    assert (newest["message"], newest["method"]) == ("This is test notification 9", "PUT")


@pytest.mark.usefixtures("ten")
def test_detail_is_what_the_list_has_and_counts_as_read(front_end: FrontEnd) -> None:
    listed = front_end.get().body["notifications"][0]
    detail = front_end.get(f"/{listed['uid']}").body
    assert detail == {**listed, "is_read": True, "updated_at": detail["updated_at"]}
    assert read_counts(front_end) == (TOTAL, 1, TOTAL - 1)
    assert read_uids(front_end, "?is_read=true") == [listed["uid"]]


@pytest.mark.usefixtures("ten")
@pytest.mark.parametrize(
    ("action", "counts"),
    [
        ("MARK_AS_READ", (TOTAL, 5, TOTAL - 5)),
        ("MARK_AS_REMOVED", (TOTAL - 5, 0, TOTAL - 5)),
    ],
)
def test_some_are_marked_by_their_uids(front_end: FrontEnd, action: str, counts: tuple[int, int, int]) -> None:
    uids = read_uids(front_end)[:5]
    assert front_end.patch(action_choice=action, notification_uids=uids).status == 200
    assert read_counts(front_end) == counts


@pytest.mark.usefixtures("ten")
@pytest.mark.parametrize(("action", "counts"), [("MARK_ALL_AS_READ", (TOTAL, TOTAL, 0)), ("REMOVED_ALL", (0, 0, 0))])
def test_all_are_marked_at_once(front_end: FrontEnd, action: str, counts: tuple[int, int, int]) -> None:
    assert front_end.patch(action_choice=action).status == 200
    assert read_counts(front_end) == counts


@pytest.mark.usefixtures("ten")
@pytest.mark.parametrize("status", ["REMOVED", "DELETED"])
def test_one_is_given_a_status(front_end: FrontEnd, status: str) -> None:
    uid, *others = read_uids(front_end)
    answer = front_end.patch(f"/{uid}", status=status)
    assert (answer.status, answer.body["status"]) == (200, status)
    assert read_uids(front_end) == others


@pytest.mark.usefixtures("ten")
def test_pages_and_their_sizes(front_end: FrontEnd) -> None:
    uids = read_uids(front_end)
    assert read_uids(front_end, "?page=2&page_size=4") == uids[4:8]
    assert read_uids(front_end, "?page=3&page_size=4&is_read=false") == uids[8:]
    assert front_end.ask("GET", f"{LIST}?page=4&page_size=4").status == 404
