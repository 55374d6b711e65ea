"""The inbox over real HTTP: what it answers, to whom, and what it refuses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework_simplejwt.models import TokenUser
from rest_framework_simplejwt.tokens import AccessToken

from channels_progress.models import InboxItem
from channels_progress.notifications import notify
from channels_progress.rest.views import inbox
from tests.rest.front_end import LIST, Answer, FrontEnd, with_session, with_token


def say(user: User, *texts: str) -> list[str]:
    """Notify somebody of these; the uids."""
    notices = [notify(user, text) for text in texts]
    return [str(InboxItem.objects.get(notice=notice, user_pk=str(user.pk)).uid) for notice in notices]


def read_texts(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    return [each["notification"]["message"] for each in answer.body["notifications"]]


def count(total: int, read: int) -> dict[str, int]:
    return {"total_notifications": total, "read_notifications": read, "unread_notifications": total - read}


def test_list_has_one_page_and_the_counts_of_all(front_end: FrontEnd, alice: User) -> None:
    say(alice, *"abcde")
    answer = front_end.get("?page=2&page_size=2")
    assert read_texts(answer) == ["c", "b"]
    assert {key: value for key, value in answer.body.items() if key != "notifications"} == count(5, 0)


def test_list_is_empty_where_there_is_nothing(front_end: FrontEnd) -> None:
    assert front_end.get() == Answer(200, {**count(0, 0), "notifications": []})


def test_list_can_be_of_what_was_read_or_not(front_end: FrontEnd, alice: User) -> None:
    first, *_ = say(alice, "a", "b", "c")
    front_end.get(f"/{first}")
    assert read_texts(front_end.get("?is_read=true")) == ["a"]
    assert read_texts(front_end.get("?is_read=False")) == ["c", "b"]
    assert read_texts(front_end.get("?is_read=&page=&page_size=")) == ["c", "b", "a"]


@pytest.mark.parametrize("make", [with_session, with_token])
def test_login_and_token_both_do(site: str, alice: User, make: Any) -> None:
    [uid] = say(alice, "a")
    front_end = make(site, alice)
    assert read_texts(front_end.get()) == ["a"]
    assert front_end.patch(action_choice="MARK_AS_READ", notification_uids=[uid]) == Answer(200, count(1, 1))


def test_nobody_is_asked_to_log_in(site: str) -> None:
    refused = Answer(401, {"detail": "Authentication credentials were not provided."})
    assert FrontEnd(site).get() == refused
    assert FrontEnd(site).patch(action_choice="REMOVED_ALL") == refused
    assert FrontEnd(site).get(f"/{uuid4()}") == refused


def test_token_is_had_for_a_password_and_ends(site: str, alice: User) -> None:
    alice.set_password("correct horse")
    alice.save()
    say(alice, "a")
    answer = FrontEnd(site).ask("POST", "/api/v1/token", {"username": "alice", "password": "correct horse"})
    front_end = FrontEnd(site, {"Authorization": f"Bearer {answer.body['access']}"})
    assert read_texts(front_end.get()) == ["a"]
    ended = AccessToken.for_user(alice)
    ended.set_exp(lifetime=timedelta(seconds=-1))
    front_end.headers["Authorization"] = f"Bearer {ended}"
    answer = front_end.get()
    assert (answer.status, answer.body["code"]) == (401, "token_not_valid")


def test_forged_request_is_refused(site: str, alice: User) -> None:
    say(alice, "a")
    front_end = with_session(site, alice)
    del front_end.headers["X-CSRFToken"]
    assert front_end.patch(action_choice="REMOVED_ALL").status == 403
    assert InboxItem.objects.get().status == "ACTIVE"


@pytest.mark.parametrize("make", [with_session, with_token])
def test_inactive_user_is_refused(site: str, alice: User, make: Any) -> None:
    front_end = make(site, alice)
    User.objects.update(is_active=False)
    assert front_end.get().status == 401
    assert front_end.patch(action_choice="REMOVED_ALL").status == 401


def test_token_that_nobody_looked_up_is_refused(settings: Any, alice: User) -> None:
    """As with ``JWTStatelessUserAuthentication``: who was locked out since would still be let in."""
    request = APIRequestFactory().get(LIST)
    force_authenticate(request, TokenUser(AccessToken.for_user(alice)))
    answer = inbox(request)
    assert (answer.status_code, answer.data) == (403, {"detail": "Only active users of this site have an inbox."})


def test_one_is_shown_and_from_then_on_read(front_end: FrontEnd, alice: User) -> None:
    uid, _ = say(alice, "a", "b")
    answer = front_end.get(f"/{uid}")
    assert (answer.status, answer.body["uid"], answer.body["is_read"]) == (200, uid, True)
    assert [each["is_read"] for each in front_end.get().body["notifications"]] == [False, True]
    assert front_end.get(f"/{uid}") == answer


def test_asking_for_the_head_reads_nothing(front_end: FrontEnd, alice: User) -> None:
    [uid] = say(alice, "a")
    assert front_end.ask("HEAD", f"{LIST}/{uid}").status == 200
    assert InboxItem.objects.get().read_at is None


def test_status_of_one_can_be_changed(front_end: FrontEnd, alice: User) -> None:
    uid, kept = say(alice, "a", "b")
    answer = front_end.patch(f"/{uid}", status="DELETED")
    assert (answer.status, answer.body["uid"], answer.body["status"]) == (200, uid, "DELETED")
    assert [each["uid"] for each in front_end.get().body["notifications"]] == [kept]
    assert front_end.get(f"/{uid}").status == 404


def test_nothing_but_the_status_of_one_can_be_changed(front_end: FrontEnd, alice: User) -> None:
    [uid] = say(alice, "a")
    before = front_end.get(f"/{uid}").body
    after = front_end.patch(f"/{uid}", **{**before, "id": 7, "is_read": False, "user": 7, "custom_info": "x"})
    assert after == Answer(200, {**before, "updated_at": after.body["updated_at"]})


@pytest.mark.parametrize(
    ("action", "left"),
    [
        ({"action_choice": "MARK_AS_READ"}, count(3, 2)),
        ({"action_choice": "MARK_AS_REMOVED"}, count(1, 0)),
        ({"action_choice": "MARK_ALL_AS_READ"}, count(3, 3)),
        ({"action_choice": "REMOVED_ALL"}, count(0, 0)),
        ({"action_choice": "UNDEFINED"}, count(3, 0)),
    ],
)
def test_many_can_be_marked_at_once(
    front_end: FrontEnd, alice: User, bob: User, action: dict[str, Any], left: dict[str, int]
) -> None:
    uids = say(alice, "a", "b", "c")
    say(bob, "a")
    assert front_end.patch(**action, notification_uids=uids[:2]) == Answer(200, left)
    assert InboxItem.objects.filter(user_pk=str(bob.pk), status="ACTIVE", read_at=None).count() == 1


REQUIRED = ["This field is required."]
NO_ACTION = ["One of MARK_AS_READ, MARK_AS_REMOVED, MARK_ALL_AS_READ, REMOVED_ALL, UNDEFINED is expected."]
REFUSED = [
    ({}, {"action_choice": REQUIRED}),
    ({"action_choice": "READ"}, {"action_choice": NO_ACTION}),
    ({"action_choice": None}, {"action_choice": ["This field may not be null."]}),
    ({"action_choice": ["UNDEFINED"]}, {"action_choice": NO_ACTION}),
    ({"action_choice": "MARK_AS_READ"}, {"notification_uids": ["MARK_AS_READ needs some."]}),
    (
        {"action_choice": "MARK_AS_REMOVED", "notification_uids": None},
        {"notification_uids": ["MARK_AS_REMOVED needs some."]},
    ),
    ({"action_choice": "MARK_AS_READ", "notification_uids": []}, {"notification_uids": ["MARK_AS_READ needs some."]}),
    (
        {"action_choice": "MARK_AS_READ", "notification_uids": "all"},
        {"notification_uids": ['Expected a list of items but got type "str".']},
    ),
    (
        {"action_choice": "MARK_AS_READ", "notification_uids": ["7"]},
        {"notification_uids": {"0": ["Must be a valid UUID."]}},
    ),
    (
        {"action_choice": "MARK_AS_READ", "notification_uids": [str(uuid4())] * 1001},
        {"notification_uids": ["Ensure this field has no more than 1000 elements."]},
    ),
]


@pytest.mark.parametrize(("asked", "reason"), REFUSED, ids=range(len(REFUSED)))
def test_wrong_action_is_refused_with_the_reason(front_end: FrontEnd, asked: Any, reason: Any) -> None:
    assert front_end.patch(**asked) == Answer(400, reason)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"null", b"\xff"])
def test_what_is_no_object_is_refused(front_end: FrontEnd, alice: User, body: bytes) -> None:
    [uid] = say(alice, "a")
    assert [front_end.ask("PATCH", LIST + path, body).status for path in ("", f"/{uid}")] == [400, 400]


def test_options_tell_what_can_be_done(front_end: FrontEnd, alice: User) -> None:
    [uid] = say(alice, "a")
    allowed = [front_end.ask("OPTIONS", LIST + path).headers["Allow"] for path in ("", f"/{uid}", "/preferences")]
    assert [sorted(methods.split(", ")) for methods in allowed] == [["GET", "HEAD", "OPTIONS", "PATCH"]] * 3
    assert InboxItem.objects.get().read_at is None


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_refused(front_end: FrontEnd, alice: User, method: str) -> None:
    [uid] = say(alice, "a")
    assert [front_end.ask(method, LIST + path, {}).status for path in ("", f"/{uid}")] == [405, 405]


@pytest.mark.parametrize("page", ["0", "-1", "x", "2", "1.5", "99999999999", "%00", "last"])
def test_page_that_there_is_not_is_refused(front_end: FrontEnd, alice: User, page: str) -> None:
    say(alice, "a")
    answer = front_end.get(f"?page={page}")
    assert (answer.status, answer.body["detail"][:6]) == (404, "page: ")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("page_size=0", {"page_size": ["a number from 1 is expected"]}),
        ("page_size=x", {"page_size": ["a number from 1 is expected"]}),
        ("page_size=101", {"page_size": ["at most 100 is expected"]}),
        ("is_read=null", {"is_read": ["true or false is expected"]}),
        ("is_read=1", {"is_read": ["true or false is expected"]}),
    ],
)
def test_wrong_query_is_refused_with_the_reason(front_end: FrontEnd, query: str, reason: Any) -> None:
    assert front_end.get(f"?{query}") == Answer(400, reason)


@pytest.mark.parametrize("status", ["", "GONE", None, 7, ["REMOVED"]])
def test_wrong_status_is_refused(front_end: FrontEnd, alice: User, status: Any) -> None:
    [uid] = say(alice, "a")
    answer = front_end.patch(f"/{uid}", status=status)
    assert (answer.status, list(answer.body)) == (400, ["status"])
    assert InboxItem.objects.get().status == "ACTIVE"


def test_status_has_to_be_named(front_end: FrontEnd, alice: User) -> None:
    [uid] = say(alice, "a")
    assert front_end.patch(f"/{uid}") == Answer(400, {"status": REQUIRED})


def test_what_is_somebody_elses_is_answered_like_what_there_is_not(front_end: FrontEnd, alice: User, bob: User) -> None:
    [own], [foreign] = say(alice, "a"), say(bob, "b")
    for uid in (foreign, str(uuid4()), "7", "%C3%A4"):
        not_there = Answer(404, {"detail": "There is no such notification in this inbox."})
        assert front_end.get(f"/{uid}") == not_there
        assert front_end.patch(f"/{uid}", status="REMOVED") == not_there
    for uid in (foreign, str(uuid4())):
        refused = Answer(400, {"notification_uids": ["not in this inbox"]})
        for action in ("MARK_AS_READ", "MARK_AS_REMOVED"):
            assert front_end.patch(action_choice=action, notification_uids=[own, uid]) == refused
    assert list(InboxItem.objects.values_list("status", "read_at")) == [("ACTIVE", None)] * 2


def test_unknown_uid_takes_as_much_work_as_a_foreign_one(front_end: FrontEnd, bob: User) -> None:
    [foreign] = say(bob, "b")
    for ask in (
        lambda uid: front_end.get(f"/{uid}"),
        lambda uid: front_end.patch(f"/{uid}", status="REMOVED"),
        lambda uid: front_end.patch(action_choice="MARK_AS_READ", notification_uids=[uid]),
    ):
        done = []
        for uid in (foreign, str(uuid4())):
            with CaptureQueriesContext(connection) as queries:
                assert ask(uid).status in (400, 404)
            done.append([query["sql"].replace(uid.replace("-", ""), "") for query in queries])
        assert done[0] == done[1]


def test_number_of_queries_does_not_grow_with_the_page(front_end: FrontEnd, alice: User, bob: User) -> None:
    for actor in (alice, bob, None) * 10:
        notify([alice, bob], "a", actor=actor)
    with CaptureQueriesContext(connection) as short:
        assert len(read_texts(front_end.get("?page_size=1&is_read=false"))) == 1
    with CaptureQueriesContext(connection) as long:
        assert len(read_texts(front_end.get("?page_size=30&is_read=false"))) == 30
    # Who asks, the counts, the page, the people on it.
    assert (len(short), len(long)) == (4, 4)


def describe_with_groups(user: User) -> dict[str, Any]:
    return {"groups": [group.name for group in user.groups.all()]}


def test_what_people_are_shown_with_is_loaded_with_all_of_them(front_end: FrontEnd, alice: User, settings: Any) -> None:
    for number in range(12):
        actor = User.objects.create(username=f"{number}")
        actor.groups.add(Group.objects.create(name=f"group {number}"))
        notify(alice, "a", actor=actor)
    settings.CHANNELS_PROGRESS = {
        "INBOX_USER_SERIALIZER": f"{__name__}.describe_with_groups", "INBOX_USER_PREFETCH_RELATED": ["groups"]
    }  # fmt: skip
    with CaptureQueriesContext(connection) as queries:
        shown = [each["created_by"]["groups"] for each in front_end.get("?page_size=12").body["notifications"]]
    assert shown == [[f"group {number}"] for number in reversed(range(12))]
    # Who asks, the counts, the page, the people on it, their groups.
    assert len(queries) == 5


def test_people_are_shown_as_the_settings_say(front_end: FrontEnd, alice: User, bob: User, settings: Any) -> None:
    notify(alice, "a", actor=bob)
    settings.CHANNELS_PROGRESS = {"INBOX_USER_SERIALIZER": "channels_progress.rest.serializers.UserSerializer"}
    [item] = front_end.get().body["notifications"]
    assert (item["user"], item["created_by"]) == (
        {"id": alice.pk, "first_name": "Alice", "last_name": "Ada", "email": "alice@example.com"},
        {"id": bob.pk, "first_name": "Bob", "last_name": "Babbage", "email": "bob@example.com"},
    )


def test_urls_may_end_in_a_slash(front_end: FrontEnd, alice: User, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.slash_urls"
    [uid] = say(alice, "a")
    assert read_texts(front_end.ask("GET", "/inbox/")) == ["a"]
    assert front_end.ask("GET", f"/inbox/{uid}/").body["uid"] == uid


def test_urls_may_have_parts_of_the_projects_own(front_end: FrontEnd, alice: User, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.slash_urls"
    [uid] = say(alice, "a")
    for path in ("", f"/{uid}", "/preferences"):
        url = f"/api/v2/inbox{path}"
        assert front_end.ask("GET", url).status == 200
        assert (
            front_end.ask("PATCH", url, {"action_choice": "UNDEFINED", "status": "ACTIVE", "is_enabled": True}).status
            == 200
        )


def test_answers_are_for_nobody_to_keep(front_end: FrontEnd) -> None:
    answers = [front_end.get(), front_end.get("?page=7"), front_end.get("/7"), front_end.patch()]
    assert [answer.headers["Cache-Control"] for answer in answers] == ["no-store"] * 4
