"""``{% my_tasks %}``, the list page and what they do over HTTP: whose tasks, in which order, and marked by whom."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import translation
from django.utils.formats import date_format

from channels_progress.events import list_channel
from channels_progress.formats import format_moment
from channels_progress.mine import my_tasks_context
from channels_progress.own_tasks import mark_tasks
from channels_progress.records import TaskState
from channels_progress.store import Store, get_store
from channels_progress.tokens import Grant, issue_subscription_token, verify_subscription_token
from channels_progress.viewers import NONCE_SESSION_KEY, Viewer
from tests.web.conftest import MakeRequest, MakeTask
from tests.web.markup import Page
from tests.web.test_tags import render

JSON = {"accept": "application/json"}
EVIL = '<img src=x onerror="alert(1)">'
TAG = "{% my_tasks %}"


@pytest.fixture
def calls(store: Store) -> Iterator[list[str]]:
    """Names of the store's methods, as they are called."""
    names: list[str] = []
    real = type(store).__getattribute__

    def note(self: Any, name: str) -> Any:
        if name in {"list_for", "read", "versions", "list_versions", "mark"}:
            names.append(name)
        return real(self, name)

    with patch.object(type(store), "__getattribute__", note):
        yield names


def become(client: Client, nonce: str) -> Client:
    """Give an anonymous client, or a login, the session nonce of the tasks it started before."""
    session = client.session
    session[NONCE_SESSION_KEY] = nonce
    session.save()
    return client


def uids(context: dict[str, Any]) -> dict[str, list[str]]:
    return {group["name"]: [task["uid"] for task in group["tasks"]] for group in context["groups"]}


def rows(page: Page) -> list[str]:
    return [element.attributes["data-uid"] for element in page.all("li") if "data-uid" in element.attributes]


# The tag


def test_tasks_stand_in_groups_the_newest_first(
    make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str
) -> None:
    for uid, state in [("w", TaskState.PENDING), ("r", TaskState.RETRY), ("p", TaskState.PROGRESS)]:
        make_task(uid, state, owner=owner)
    for uid in ("new", "old"):
        make_task(uid, TaskState.SUCCESS, owner=owner)
    get_store().mark("old", seen=True)
    context = my_tasks_context(make_request(alice))
    assert {name: set(group) for name, group in uids(context).items()} == {
        "running": {"w", "r", "p"},
        "finished": {"new"},
        "recent": {"old"},
    }
    assert context["counts"] == {"running": 3, "unseen": 1, "ended": 2, "total": 5}


def test_what_runs_is_not_pushed_out_by_what_has_ended_since(
    make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str
) -> None:
    make_task("long", owner=owner)
    for number in range(5):
        make_task(f"short-{number}", TaskState.SUCCESS, owner=owner)
    shown = uids(my_tasks_context(make_request(alice), limit=2))
    assert (shown["running"], len(shown["finished"])) == (["long"], 1)


def test_what_has_finished_unseen_is_found_however_much_runs(
    make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str
) -> None:
    make_task("news", TaskState.FAILURE, owner=owner)
    for number in range(5):
        make_task(f"on-{number}", owner=owner)
    shown = uids(my_tasks_context(make_request(alice), limit=4))
    assert (len(shown["running"]), shown["finished"]) == (3, ["news"])


@pytest.mark.parametrize("limit", [0, -1, 51, "10", None])
def test_limit_that_cannot_be_is_refused(make_request: MakeRequest, store: Store, limit: Any) -> None:
    with pytest.raises(ValueError, match="1 to 50"):
        my_tasks_context(make_request(), limit=limit)


def test_context_is_ready_for_json(make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str) -> None:
    make_task(owner=owner, body={"title": "Import", "fraction": 0.5, "counters": {"skipped": 3}})
    context = json.loads(json.dumps(my_tasks_context(make_request(alice))))
    (task,) = context["groups"][0]["tasks"]
    assert (task["title"], task["display"]["percent"], task["state_url"]) == ("Import", "50%", "/tasks/a/")


def test_lists_of_login_and_former_session_are_one(
    make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str
) -> None:
    make_task("before", owner="session:n")
    make_task("after", owner=owner)
    request = make_request(alice)
    request.session[NONCE_SESSION_KEY] = "n"
    context = my_tasks_context(request)
    channels = (list_channel(owner), list_channel("session:n"))
    assert set(uids(context)["running"]) == {"before", "after"}
    assert tuple(frame["channel"] for frame in context["lists"]) == channels
    assert verify_subscription_token(context["token"], Viewer(alice)) == Grant(channels, frozenset())


def test_rows_cost_one_reading_for_each_owner(
    make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str, calls: list[str]
) -> None:
    for number in range(12):
        make_task(f"mine-{number}", owner=owner)
        make_task(f"before-{number}", TaskState.FAILURE, owner="session:n")
    request = make_request(alice)
    request.session[NONCE_SESSION_KEY] = "n"
    calls.clear()
    assert len(rows(render(TAG, request))) == 10
    assert calls == ["list_for", "list_for"]


def test_visitor_without_a_session_costs_nothing_and_gets_none(make_request: MakeRequest, calls: list[str]) -> None:
    request = make_request()
    page = render(TAG, request)
    assert (calls, request.session.modified, list(request.session.keys())) == ([], False, [])
    assert [name for name in page.one("my-tasks").attributes if name in {"token", "socket"}] == []
    assert [field.attributes["name"] for field in page.all("input")] == ["action", "next"]


def test_locked_out_user_sees_nothing(make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str) -> None:
    make_task(owner=owner)
    alice.is_active = False
    context = my_tasks_context(make_request(alice))
    assert (uids(context)["running"], context["token"]) == ([], "")


def test_titles_are_text_and_never_markup(
    make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str
) -> None:
    make_task('"><img>', owner=owner, body={"title": EVIL, "message": EVIL})
    make_task("b", TaskState.FAILURE, owner=owner, body={"title": EVIL}, reason=EVIL)
    page = render(TAG, make_request(alice))
    assert page.all("img") == []
    assert {link.text for link in page.all("a") if "data-progress" in link.attributes} == {EVIL}
    assert page.one("button").attributes["aria-label"] == f"Dismiss {EVIL}"


def test_what_has_ended_is_not_followed(
    make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str
) -> None:
    make_task("over", TaskState.SUCCESS, owner=owner)
    make_task("on", owner=owner)
    elements = render(TAG, make_request(alice)).all("task-progress")
    followed = {element.attributes["channel"]: "token" in element.attributes for element in elements}
    assert followed == {"task:on": True, "task:over": False}


def test_badge_says_in_words_what_it_counts(
    make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str
) -> None:
    make_task("a", owner=owner)
    make_task("b", TaskState.SUCCESS, owner=owner)
    summary = render(TAG, make_request(alice)).one("summary")
    assert summary.text == "My tasks11 1 running, 1 finished while you were away"


@pytest.mark.usefixtures("away")
def test_page_stands_while_the_store_is_away(make_request: MakeRequest, alice: User) -> None:
    page = render(TAG, make_request(alice))
    (empty,) = [part for part in page.all("p") if part.attributes.get("data-part") == "empty"]
    assert (empty.text, page.one("my-tasks").attributes["socket"]) == (
        "Your tasks cannot be read right now.",
        "/asgi/notifications/",
    )


def test_times_are_in_the_language_and_zone_of_the_page(
    make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str, settings: Any
) -> None:
    make_task(owner=owner)
    settings.TIME_ZONE = "Asia/Tokyo"
    (record,) = get_store().list_for(owner).records
    local = datetime.fromtimestamp(record.created_at // 1000, ZoneInfo("Asia/Tokyo"))
    with translation.override("de"):
        (task,) = my_tasks_context(make_request(alice))["groups"][0]["tasks"]
        text = date_format(local, "j. F Y H:i")
    assert task["at"] == {"datetime": format_moment(record.created_at), "text": text, "short": f"{local:%H:%M}"}


def test_a_site_without_aware_times_has_a_list_too(
    make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str, settings: Any
) -> None:
    make_task(owner=owner)
    settings.USE_TZ = False
    (task,) = my_tasks_context(make_request(alice))["groups"][0]["tasks"]
    (record,) = get_store().list_for(owner).records
    assert task["at"]["datetime"] == format_moment(record.created_at)


# The rows, for a page that has them


def test_rows_are_those_of_the_tag(make_task: MakeTask, alice_client: Client, owner: str) -> None:
    for uid in ("a", "b", "c"):
        make_task(uid, owner=owner)
    response = alice_client.get("/tasks/mine/?limit=2")
    page = Page(response.text)
    assert (len(rows(page)), page.all("html"), page.all("form")) == (2, [], [])
    assert (response.headers["Cache-Control"], response.headers["Vary"]) == ("no-store", "Accept, Cookie")


@pytest.mark.parametrize("limit", ["", "0", "99999", "-1", "x", "²", "9" * 40])
def test_odd_limits_are_made_to_fit(alice_client: Client, store: Store, limit: str) -> None:
    assert alice_client.get("/tasks/mine/", {"limit": limit}).status_code == 200


def test_version_of_a_list_as_json(make_task: MakeTask, alice_client: Client, owner: str, store: Store) -> None:
    make_task(owner=owner)
    frame = alice_client.get("/tasks/mine/", {"channel": list_channel(owner)}, headers=JSON).json()
    assert (frame["type"], frame["channel"], frame["seq"]) == ("tasks", list_channel(owner), 1)
    assert frame["epoch"] == store.list_for(owner).version.epoch
    assert alice_client.get("/tasks/mine/", headers=JSON).json()["lists"] == [
        frame | {"now": pytest.approx(frame["now"], abs=9e4)}
    ]


def test_list_of_somebody_else_is_not_found(make_task: MakeTask, bob_client: Client, owner: str) -> None:
    make_task(owner=owner)
    answers = [
        bob_client.get("/tasks/mine/", {"channel": channel}, headers=JSON)
        for channel in (list_channel(owner), "tasks:nobody", "")
    ]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(404, {"error": "not found"})] * 3


def test_nobody_sees_the_tasks_of_others(make_task: MakeTask, bob_client: Client, client: Client, owner: str) -> None:
    make_task("hers", owner=owner)
    make_task("nobodys")
    for path in ("/tasks/", "/tasks/mine/", "/tasks/mine/?view=page"):
        assert [rows(Page(visitor.get(path).text)) for visitor in (bob_client, client)] == [[], []]


def test_anonymous_session_has_its_own(make_task: MakeTask, client: Client, db: None) -> None:
    make_task(owner="session:n")
    page = Page(become(client, "n").get("/tasks/").text)
    assert (rows(page), page.one("my-tasks").attributes["anonymous"]) == (["a"], "")


def test_asking_makes_no_session(client: Client, store: Store, db: None) -> None:
    for path in ("/tasks/", "/tasks/mine/"):
        assert client.get(path).status_code == 200
    assert dict(client.cookies) == {}


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize("path", ["/tasks/", "/tasks/mine/", "/tasks/mine/?view=page", "/tasks/mine/?format=json"])
def test_while_the_store_is_away_pages_are_told_to_come_again(alice_client: Client, path: str) -> None:
    response = alice_client.get(path)
    assert (response.status_code, response["Retry-After"]) == (503, "5")


def test_token_for_a_list_is_renewed(make_task: MakeTask, alice_client: Client, alice: User, owner: str) -> None:
    make_task(owner=owner)
    old = issue_subscription_token(Viewer(alice), [list_channel(owner), list_channel("user:0"), "task:a"])
    fresh = alice_client.post("/tasks/token/", {"token": old}).json()["token"]
    assert verify_subscription_token(fresh, Viewer(alice)).channels == (list_channel(owner), "task:a")


def test_aged_token_for_a_list_is_renewed(alice_client: Client, alice: User, owner: str) -> None:
    old = issue_subscription_token(Viewer(alice), [list_channel(owner)], ttl=1e-9)
    response = alice_client.post("/tasks/token/", {"token": old})
    assert (response.status_code, list(response.json())) == (200, ["token"])


# Marking


def test_seen_and_dismissed_are_marked(make_task: MakeTask, alice_client: Client, owner: str, store: Store) -> None:
    for uid in ("a", "b", "c"):
        make_task(uid, TaskState.SUCCESS, owner=owner)
    answers = [
        alice_client.post("/tasks/mine/", {"action": "seen", "uid": ["a", "b"]}, headers=JSON),
        alice_client.post("/tasks/mine/", {"action": "dismiss", "uid": ["a"]}, headers=JSON),
    ]
    assert [answer.json() for answer in answers] == [{"marked": 2}, {"marked": 1}]
    assert {record.uid: record.seen for record in store.list_for(owner).records} == {"b": True, "c": False}


def test_foreign_and_unknown_tasks_are_ignored_alike(
    make_task: MakeTask, bob_client: Client, owner: str, store: Store
) -> None:
    make_task("hers", TaskState.SUCCESS, owner=owner)
    answers = [
        bob_client.post("/tasks/mine/", {"action": action, "uid": uid}, headers=JSON)
        for action in ("seen", "dismiss")
        for uid in ("hers", "nothing-there")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, b'{"marked": 0}')}
    assert [record.seen for record in store.list_for(owner).records] == [False]


def test_running_tasks_are_not_marked(make_task: MakeTask, alice_client: Client, owner: str) -> None:
    make_task(owner=owner)
    answer = alice_client.post("/tasks/mine/", {"action": "dismiss", "uid": "a", "until": "9" * 13}, headers=JSON)
    assert answer.json() == {"marked": 0}


def test_all_that_had_ended_are_dismissed_at_once(
    make_task: MakeTask, alice_client: Client, alice: User, owner: str, store: Store
) -> None:
    make_task("on", owner=owner)
    make_task("over", TaskState.SUCCESS, owner=owner)
    until = Page(alice_client.get("/tasks/").text)
    (value,) = [button.attributes["value"] for button in until.all("button") if button.attributes["name"] == "until"]
    assert mark_tasks(Viewer(alice), until=int(value) - 60_000, dismissed=True) == 0
    alice_client.post("/tasks/mine/", {"action": "dismiss", "until": value})
    assert [record.uid for record in store.list_for(owner).records] == ["on"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [("/page/?tab=2", "/page/?tab=2"), ("", "/tasks/"), ("https://evil.example/", "/tasks/"), ("//evil", "/tasks/")],
)
def test_form_leads_back_to_its_page(alice_client: Client, store: Store, target: str, expected: str) -> None:
    response = alice_client.post("/tasks/mine/", {"action": "dismiss", "uid": "a", "next": target})
    assert (response.status_code, response.headers["Location"]) == (302, expected)


@pytest.mark.parametrize("action", ["", "delete", "cancel"])
def test_other_actions_are_refused(alice_client: Client, store: Store, action: str) -> None:
    assert alice_client.post("/tasks/mine/", {"action": action, "uid": "a"}).status_code == 400


def test_marking_needs_the_csrf_token_that_the_page_has(
    make_task: MakeTask, alice: User, owner: str, store: Store
) -> None:
    make_task(state=TaskState.SUCCESS, owner=owner)
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    fields = {"action": "dismiss", "uid": "a"}
    assert client.post("/tasks/mine/", fields).status_code == 403
    inputs = {
        field.attributes["name"]: field.attributes["value"] for field in Page(client.get("/tasks/").text).all("input")
    }
    assert client.post("/tasks/mine/", {**inputs, **fields}).status_code == 302
    assert store.list_for(owner).records == ()


def test_anonymous_session_marks_its_own(make_task: MakeTask, client: Client, store: Store, db: None) -> None:
    make_task(state=TaskState.SUCCESS, owner="session:n")
    become(client, "n").post("/tasks/mine/", {"action": "seen", "uid": "a"})
    assert [record.seen for record in store.list_for("session:n").records] == [True]


# The list page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"w", "r", "s", "f", "c"}),
        ("?state=all", {"w", "r", "s", "f", "c"}),
        ("?state=active", {"w", "r"}),
        ("?state=finished", {"s"}),
        ("?state=failed", {"f"}),
        ("?state=cancelled", {"c"}),
        ("?state=nonsense", {"w", "r", "s", "f", "c"}),
    ],
)
def test_page_is_filtered_by_its_address(
    make_task: MakeTask, alice_client: Client, owner: str, query: str, expected: set[str]
) -> None:
    states = [TaskState.PENDING, TaskState.PROGRESS, TaskState.SUCCESS, TaskState.FAILURE, TaskState.REVOKED]
    for uid, state in zip("wrsfc", states, strict=True):
        make_task(uid, state, owner=owner)
    page = Page(alice_client.get(f"/tasks/{query}").text)
    assert set(rows(page)) == expected
    (current,) = [link for link in page.all("a") if "aria-current" in link.attributes]
    assert int(current.text.split()[-1]) == len(expected)


def test_long_list_has_pages(make_task: MakeTask, alice_client: Client, owner: str) -> None:
    for number in range(23):
        make_task(f"t{number:02}", TaskState.FAILURE, owner=owner)
    first = Page(alice_client.get("/tasks/?state=failed").text)
    (older,) = [link.attributes["href"] for link in first.all("a") if link.attributes.get("rel") == "next"]
    second = Page(alice_client.get(older).text)
    assert older == "/tasks/?state=failed&page=2"
    assert (len(rows(first)), len(rows(second))) == (20, 3)
    assert set(rows(first)) | set(rows(second)) == {f"t{number:02}" for number in range(23)}


@pytest.mark.parametrize("page", ["0", "99", "x", "-1", ""])
def test_page_that_is_not_there_is_another_one(
    make_task: MakeTask, alice_client: Client, owner: str, page: str
) -> None:
    make_task(owner=owner)
    assert rows(Page(alice_client.get("/tasks/", {"page": page}).text)) == ["a"]


def test_page_fetches_the_rows_it_shows(make_task: MakeTask, alice_client: Client, owner: str) -> None:
    make_task("a", TaskState.FAILURE, owner=owner)
    make_task("b", owner=owner)
    page = Page(alice_client.get("/tasks/?state=failed").text)
    fetched = Page(alice_client.get(page.one("my-tasks").attributes["rows-url"]).text)
    assert (rows(page), rows(fetched)) == (["a"], ["a"])


def test_a_task_named_as_one_of_our_pages_has_its_own(make_task: MakeTask, alice_client: Client, owner: str) -> None:
    make_task("mine", owner=owner, body={"title": "Import"})
    page = Page(alice_client.get("/tasks/").text)
    (link,) = [link.attributes["href"] for link in page.all("a") if "data-progress" in link.attributes]
    assert Page(alice_client.get(link).text).one("h1").text == "Import"
