"""Tasks in the admin: who sees them, what they see, cancelling, tokens; no table anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path
from pytest_django import DjangoAssertNumQueries

from channels_progress.admin import TaskAdmin
from channels_progress.models import Task
from channels_progress.records import Message, TaskState, list_id
from channels_progress.staff.filters import read_query
from channels_progress.store import Store
from channels_progress.tokens import issue_subscription_token, verify_subscription_token
from channels_progress.viewers import Viewer
from tests.web.conftest import MakeTask
from tests.web.markup import Element, Page

JSON = {"accept": "application/json"}
LIST = "/admin/channels_progress/task/"
TOKEN = LIST + "token/"
NONCE = "s3cr3t-n0nce"
HOSTILE = '<script>alert("x")</script>'
HARD_UIDS = ["reports/42", "a/cancel", "a/change/", "token", "add", "50%", "a_2Fb", "ż?#;&=+"]


class Urls:
    """Of a site with the admin; made for each test, since the admin's depend on the apps installed."""

    def __init__(self, site: admin.AdminSite = admin.site) -> None:
        self.urlpatterns = [path("tasks/", include("channels_progress.urls")), path("admin/", site.urls)]


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.ROOT_URLCONF = Urls()


def make_staff(*codenames: str, **flags: Any) -> User:
    user = User.objects.create_user("sue", **{"is_staff": True, **flags})
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def log_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def watcher(db: None) -> User:
    """Staff with the permission to look."""
    return make_staff("view_task")


@pytest.fixture
def watching(watcher: User) -> Client:
    return log_in(watcher)


@pytest.fixture
def cancelling(db: None) -> Client:
    """A client of staff with both permissions."""
    return log_in(make_staff("view_task", "cancel_task"))


def read_rows(response: HttpResponse) -> list[list[str]]:
    """The text of each cell, by row."""
    elements = Page(response.text).elements
    rows: list[list[str]] = []
    for element in elements:
        if element.name == "tr" and "tbody" in element.inside:
            rows.append([])
        elif element.name in {"th", "td"} and "tbody" in element.inside:
            rows[-1].append(element.text)
    return rows


def read_titles(response: HttpResponse) -> list[str]:
    return [row[0] for row in read_rows(response)]


def read_facts(response: HttpResponse) -> dict[str, str]:
    page = Page(response.text)
    values = [element for element in page.elements if element.name in {"dt", "dd"} and "section" in element.inside]
    return {label.text: value.text for label, value in zip(values[::2], values[1::2], strict=True)}


def find_element(response: HttpResponse) -> Element:
    return Page(response.text).one("task-progress")


def read_messages(response: HttpResponse) -> list[str]:
    levels = ({"success"}, {"warning"}, {"error"})
    return [
        item.text for item in Page(response.text).all("li") if set(item.attributes.get("class", "").split()) in levels
    ]


# Who may


@pytest.mark.parametrize(
    ("flags", "codenames", "statuses"),
    [
        ({"is_staff": False}, ("view_task", "cancel_task"), (302, 302, 302, 302)),
        ({"is_active": False}, ("view_task", "cancel_task"), (302, 302, 302, 302)),
        ({}, (), (403, 403, 403, 403)),
        ({}, ("cancel_task",), (403, 403, 403, 403)),
        ({}, ("view_task",), (200, 200, 403, 200)),
        ({}, ("view_task", "cancel_task"), (200, 200, 200, 200)),
        ({"is_superuser": True}, (), (200, 200, 200, 200)),
    ],
    ids=["no staff", "inactive", "no permission", "cancel only", "view only", "both", "superuser"],
)
def test_permissions_open_the_pages(
    make_task: MakeTask, db: None, flags: dict[str, bool], codenames: tuple[str, ...], statuses: tuple[int, ...]
) -> None:
    make_task(owner="user:77")
    user = make_staff(*codenames, **flags)
    client = log_in(user)
    token = issue_subscription_token(Viewer(User(pk=user.pk)), ["task:a"])
    assert (
        client.get(LIST).status_code,
        client.get(f"{LIST}a/change/").status_code,
        client.post(f"{LIST}a/cancel/", headers=JSON).status_code,
        client.post(TOKEN, {"token": token}).status_code,
    ) == statuses


def test_visitor_is_asked_to_log_in(db: None, client: Client, store: Store) -> None:
    assert client.get(LIST).headers["Location"] == f"/admin/login/?next={LIST}"


@pytest.mark.parametrize("path", ["add/", "a/delete/"])
def test_nobody_adds_or_deletes(make_task: MakeTask, admin_client: Client, path: str) -> None:
    make_task()
    assert admin_client.get(LIST + path).status_code == 403


@pytest.mark.parametrize("path", ["", "a/change/"])
def test_nobody_changes(make_task: MakeTask, admin_client: Client, path: str) -> None:
    make_task()
    assert admin_client.post(LIST + path, {"title": "x"}).status_code == 405


def test_index_names_tasks_for_who_may_look(watching: Client, store: Store) -> None:
    links = {link.attributes.get("href"): link.text for link in Page(watching.get("/admin/").text).all("a")}
    assert links[LIST] in {"View", "Tasks"}
    assert f"{LIST}add/" not in links


# The list


def test_list_shows_the_newest_first(make_task: MakeTask, watching: Client, alice: User, store: Store) -> None:
    make_task("a", TaskState.SUCCESS, owner=f"user:{alice.pk}", body={"title": "Import"})
    make_task("b", TaskState.PENDING, owner=f"session:{NONCE}")
    rows = read_rows(watching.get(LIST))
    assert [row[:3] for row in rows] == [["b", "Waiting", "anonymous"], ["Import", "Succeeded", "alice"]]
    assert [row[4:] == ["-", "-", "-", "-"] for row in rows] == [True, False]


def test_list_names_task_and_worker(watching: Client, store: Store) -> None:
    store.create("a", owner="", body='{"title": "Import"}', name="cities.tasks.import_cities")
    store.begin(
        "a", delivery="d", owner="", body='{"title": "Import"}', name="cities.tasks.import_cities", worker="w@h"
    )
    (row,) = read_rows(watching.get(LIST))
    assert [*row[:3], row[-1]] == ["Import cities.tasks.import_cities", "Running", "nobody", "1 w@h"]


def test_owner_links_to_the_user_for_who_may_see_users(make_task: MakeTask, alice: User, store: Store) -> None:
    make_task(owner=f"user:{alice.pk}")
    url = f"/admin/auth/user/{alice.pk}/change/"
    assert (url in log_in(make_staff("view_task", "view_user")).get(LIST).text) is True
    User.objects.get(username="sue").user_permissions.remove(Permission.objects.get(codename="view_user"))
    assert (url in log_in(User.objects.get(username="sue")).get(LIST).text) is False


@pytest.mark.parametrize("owner", ["user:4711", "user:no-such-pk"])
def test_owner_that_is_gone_is_named_by_number(make_task: MakeTask, watching: Client, owner: str) -> None:
    make_task(owner=owner)
    (row,) = read_rows(watching.get(LIST))
    assert row[2] == f"user {owner.removeprefix('user:')}, deleted"


@pytest.mark.parametrize(
    ("seconds", "label"), [(0, "Running"), (25, "Stalled"), (200, "Lost")], ids=["live", "stalled", "lost"]
)
def test_list_tells_silence(make_task: MakeTask, watching: Client, store: Any, seconds: float, label: str) -> None:
    make_task()
    store._clock = lambda: time.time() + seconds
    (row,) = read_rows(watching.get(LIST))
    assert row[1] == label


def test_list_asks_for_all_owners_at_once(
    make_task: MakeTask, watching: Client, alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    others = [User.objects.create_user(f"user{number}") for number in range(5)]
    for user in [alice, *others]:
        make_task(str(user.pk), owner=f"user:{user.pk}")
    # Session, user, permissions of the user and of their groups, owners.
    with django_assert_num_queries(5):
        watching.get(LIST)


def test_nonce_of_a_session_is_nowhere(make_task: MakeTask, admin_client: Client) -> None:
    make_task("a", owner=f"session:{NONCE}")
    make_task("b", owner=f"session:{NONCE}")
    pages = [admin_client.get(LIST), admin_client.get(f"{LIST}a/change/")]
    assert [NONCE in page.text for page in pages] == [False, False]
    assert list_id(f"session:{NONCE}") in pages[1].text


def test_titles_are_text(make_task: MakeTask, admin_client: Client) -> None:
    make_task("a", TaskState.FAILURE, owner="user:1", body={"title": HOSTILE, "message": HOSTILE}, reason=HOSTILE)
    make_task("b", owner="user:1", body={"title": HOSTILE})
    for url in (LIST, f"{LIST}a/change/", f"{LIST}?q={HOSTILE}", f"{LIST}?owner={HOSTILE}"):
        assert HOSTILE not in admin_client.get(url).text
    assert read_titles(admin_client.get(LIST)) == [HOSTILE, HOSTILE]


@pytest.mark.parametrize("url", [LIST, f"{LIST}a/change/"])
def test_pages_need_no_inline_script_or_style(make_task: MakeTask, admin_client: Client, url: str) -> None:
    make_task("a", TaskState.PROGRESS, messages=(Message("info", "first"),))
    page = Page(admin_client.get(url).text)
    names = [name for element in page.elements for name in element.attributes]
    assert [name for name in names if name.startswith("on") or name == "style"] == []
    assert [script.attributes.get("type") for script in page.all("script") if script.text] in ([], ["application/json"])
    assert page.all("style") == []


@pytest.fixture
def assorted(make_task: MakeTask, alice: User) -> None:
    """One running task of Alice's, a failed one of a visitor's, a waiting one of nobody's."""
    make_task("run-1", owner=f"user:{alice.pk}", body={"title": "Import of Żory"})
    make_task("fail/2", TaskState.FAILURE, owner=f"session:{NONCE}", body={"title": "Report"})
    make_task("wait-3", TaskState.PENDING)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?state=running", {"Import of Żory"}),
        ("?state=failed", {"Report"}),
        ("?state=failed&owner=user", set()),
        ("?owner=session", {"Report"}),
        ("?owner=nobody", {"wait-3"}),
        (f"?owner={list_id(f'session:{NONCE}')}", {"Report"}),
        ("?q=żory+IMPORT", {"Import of Żory"}),
        ("?q=fail/2", {"Report"}),
        ("?q=nothing", set()),
        ("?state=nonsense", {"Import of Żory", "Report", "wait-3"}),
        ("?p=99", {"Import of Żory", "Report", "wait-3"}),
    ],
)
def test_filters_and_search(assorted: None, watching: Client, query: str, found: set[str]) -> None:
    assert set(read_titles(watching.get(LIST + query))) == found


def test_filters_count_what_they_would_show(assorted: None, watching: Client) -> None:
    page = Page(watching.get(f"{LIST}?state=running&owner=session").text)
    links = {link.text: link.attributes["href"] for link in page.all("a") if "details" in link.inside}
    shown = {text: links[text] for text in ("Failed (1)", "Running (0)", "Users (1)", "Nobody (0)")}
    assert shown == {
        "Failed (1)": "?state=failed&owner=session",
        "Running (0)": "?state=running&owner=session",
        "Users (1)": "?state=running&owner=user",
        "Nobody (0)": "?state=running&owner=nobody",
    }
    assert [item.text for item in page.all("li") if item.attributes.get("class") == "selected"] == [
        "Running (0)",
        "Anonymous visitors (0)",
    ]


def test_query_goes_into_links_as_it_came() -> None:
    query = read_query({"q": "a&b=c", "state": "failed", "owner": "user", "other": "x"})
    assert query.make_url(p=2) == "?state=failed&owner=user&q=a%26b%3Dc&p=2"


def test_list_comes_in_pages(make_task: MakeTask, watching: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TaskAdmin, "list_per_page", 2)
    for number in range(5):
        make_task(f"t{number}")
    titles = [read_titles(watching.get(f"{LIST}?q=t&p={page}")) for page in (1, 2, 3)]
    assert ([len(page) for page in titles], len({title for page in titles for title in page})) == ([2, 2, 1], 5)
    assert 'href="?q=t&amp;p=3"' in watching.get(f"{LIST}?q=t").text


def test_list_says_how_many_it_holds(make_task: MakeTask, watching: Client, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": "memory", "LISTED_FOR_STAFF": 2}
    for uid in ("oldest", "b", "c"):
        make_task(uid)
    response = watching.get(LIST)
    assert "The list holds the newest 2 tasks." in response.text
    assert len(read_rows(response)) == 2
    assert read_titles(watching.get(f"{LIST}?q=oldest")) == ["oldest"]


def test_list_while_the_store_is_away(away: None, watching: Client) -> None:
    response = watching.get(LIST)
    assert (response.status_code, "The store does not answer" in response.text) == (503, True)


# One task


def test_page_shows_the_record(watching: Client, alice: User, store: Store) -> None:
    body = '{"title": "Import", "fraction": 0.5, "counters": {"skipped": 3}}'
    store.create("parent", owner="", body="{}")
    store.create("a", owner=f"user:{alice.pk}", body=body, parent="parent", name="tasks.run")
    begun = store.begin("a", delivery="d1", owner=f"user:{alice.pk}", body=body, name="tasks.run", worker="w@h")
    response = watching.get(f"{LIST}a/change/")
    facts = read_facts(response)
    shown = {
        name: facts[name] for name in ("Task id", "Celery name", "State", "Owner", "Worker", "Attempt", "Delivery")
    }
    assert shown == {
        "Task id": "a", "Celery name": "tasks.run", "State": "Running (STARTED)", "Owner": "alice", "Worker": "w@h",
        "Attempt": "1", "Delivery": "d1",
    }  # fmt: skip
    assert (facts["Record"], facts["Ended"], facts["Part of task"]) == (f"{begun.epoch}, 2", "-", "parent")
    page = Page(response.text)
    assert (page.hook("percent").text, f'href="{LIST}parent/change/"' in response.text) == ("50%", True)
    # What admin.js compares with.
    assert [div.attributes["data-of"] for div in page.all("div") if "data-of" in div.attributes] == ["1 STARTED"]


def test_times_are_in_the_time_zone_of_the_admin(make_task: MakeTask, watching: Client, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Kathmandu"
    make_task()
    response = watching.get(f"{LIST}a/change/")
    (created, *_) = [time.attributes["datetime"] for time in Page(response.text).all("time")]
    assert (created[-6:], "Times are in Asia/Kathmandu." in response.text) == ("+05:45", True)


@pytest.mark.parametrize("use_tz", [True, False])
def test_times_do_not_depend_on_use_tz(make_task: MakeTask, watching: Client, settings: Any, use_tz: bool) -> None:
    settings.USE_TZ = use_tz
    settings.TIME_ZONE = "Asia/Kathmandu"
    make_task()
    assert [row[3][-8:-6] for row in read_rows(watching.get(LIST))] == [
        time.strftime("%H", time.gmtime(time.time() + 5.75 * 3600))
    ]


def test_page_names_other_tasks_of_its_owner_alone(make_task: MakeTask, watching: Client) -> None:
    for uid, owner in [("a", f"session:{NONCE}"), ("b", f"session:{NONCE}"), ("c", "user:1"), ("d", "")]:
        make_task(uid, owner=owner)
    assert [read_titles(watching.get(f"{LIST}{uid}/change/")) for uid in "acd"] == [["b"], [], []]


@pytest.mark.parametrize("uid", HARD_UIDS)
def test_any_uid_has_its_page(make_task: MakeTask, cancelling: Client, uid: str) -> None:
    make_task(uid)
    (link,) = [link for link in Page(cancelling.get(LIST).text).all("a") if "tbody" in link.inside]
    response = cancelling.get(link.attributes["href"])
    assert read_facts(response)["Task id"] == uid
    cancelled = cancelling.post(find_element(response).attributes["cancel-url"], headers=JSON)
    assert cancelled.json() == {"outcome": "cancelling"}


@pytest.mark.parametrize(("page", "target"), [("change", LIST), ("history", "/admin/")])
def test_unknown_task_leads_back_with_a_message(watching: Client, store: Store, page: str, target: str) -> None:
    response = watching.get(f"{LIST}gone/{page}/", follow=True)
    assert read_messages(response) == ["Task with ID “gone” doesn’t exist. Perhaps it was deleted?"]
    assert response.redirect_chain == [(target, 302)]


def test_page_while_the_store_is_away_still_waits_for_the_task(away: None, watching: Client) -> None:
    response = watching.get(f"{LIST}a/change/")
    assert (response.status_code, "The store does not answer" in response.text) == (503, True)
    assert (find_element(response).attributes["state"], read_facts(response)) == ("UNKNOWN", {})


def test_page_asks_the_database_for_the_viewer_and_the_owner_only(
    make_task: MakeTask, watching: Client, alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_task("a", owner=f"user:{alice.pk}")
    make_task("b", owner=f"user:{alice.pk}")
    # Session, user, permissions of the user and of their groups, the owner for the record and for the others.
    with django_assert_num_queries(6):
        watching.get(f"{LIST}a/change/")


# Watching


def test_page_watches_with_a_token_that_cannot_cancel(make_task: MakeTask, cancelling: Client) -> None:
    make_task(owner="user:77")
    attributes = find_element(cancelling.get(f"{LIST}a/change/")).attributes
    viewer = Viewer(User.objects.get(username="sue"))
    grant = verify_subscription_token(attributes["token"], viewer)
    assert (grant.channels, grant.rights, grant.ttl) == (("task:a",), frozenset(), 900)
    assert (attributes["token-url"], attributes["redirect"]) == (TOKEN, "off")
    polled = cancelling.get(attributes["state-url"], headers={**JSON, "x-channels-progress-token": attributes["token"]})
    assert polled.json()["channel"] == "task:a"


def test_token_is_renewed_while_the_permission_lasts(make_task: MakeTask, watching: Client, watcher: User) -> None:
    make_task(owner="user:77")
    old = issue_subscription_token(Viewer(watcher), ["task:a"], rights=["cancel"], ttl=1e-9)
    fresh = watching.post(TOKEN, {"token": old}).json()["token"]
    grant = verify_subscription_token(fresh, Viewer(watcher))
    assert (grant.channels, grant.rights) == (("task:a",), frozenset())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda user: user.user_permissions.clear(),
        lambda user: User.objects.update(is_staff=False),
        lambda user: User.objects.update(is_active=False),
    ],
    ids=["no permission", "no staff", "inactive"],
)
def test_token_is_not_renewed_after_that(
    make_task: MakeTask, watching: Client, watcher: User, spoil: Callable[[User], Any]
) -> None:
    make_task(owner="user:77")
    token = find_element(watching.get(f"{LIST}a/change/")).attributes["token"]
    spoil(watcher)
    assert watching.post(TOKEN, {"token": token}).status_code in {302, 403}


@pytest.mark.parametrize("token", ["", "nonsense", "\ud800~x"])
def test_bad_token_is_not_renewed(watching: Client, store: Store, token: str) -> None:
    data = {"token": token.encode("utf-8", "surrogatepass").decode("utf-8", "replace")}
    assert watching.post(TOKEN, data).status_code == 403


def test_token_of_somebody_else_is_not_renewed(make_task: MakeTask, watching: Client, alice: User) -> None:
    make_task()
    token = issue_subscription_token(Viewer(alice), ["task:a"])
    assert watching.post(TOKEN, {"token": token}).status_code == 403


def test_permission_counts_in_the_admin_only(make_task: MakeTask, admin_client: Client, admin_user: User) -> None:
    make_task(owner="user:77")
    token = find_element(admin_client.get(f"{LIST}a/change/")).attributes["token"]
    assert admin_client.get("/tasks/a/").status_code == 404
    assert admin_client.post("/tasks/token/", {"token": token}, headers=JSON).status_code == 404
    assert admin_client.post("/tasks/a/cancel/", {"token": token}, headers=JSON).status_code == 404


# Cancelling


def test_button_and_reason_are_there_for_who_may(make_task: MakeTask, watching: Client) -> None:
    make_task()
    make_task("done", TaskState.SUCCESS)

    def names(uid: str) -> list[str]:
        return [
            field.attributes["name"]
            for field in Page(watching.get(f"{LIST}{uid}/change/").text).all("input")
            if "task-progress" in field.inside
        ]

    assert names("a") == []
    User.objects.get(username="sue").user_permissions.add(Permission.objects.get(codename="cancel_task"))
    assert (names("a"), names("done")) == (["csrfmiddlewaretoken", "token", "reason"], [])


def test_cancel_is_asked_for_and_logged(make_task: MakeTask, cancelling: Client, store: Store) -> None:
    make_task(owner="user:77", body={"title": "Import"})
    response = cancelling.post(f"{LIST}a/cancel/", {"reason": " Too slow "}, follow=True)
    assert (read_messages(response), response.redirect_chain) == (
        ["The task has been asked to stop."], [(f"{LIST}a/change/", 302)],
    )  # fmt: skip
    snapshot = store.read("a")
    assert snapshot
    assert (snapshot.record.cancelling, snapshot.record.reason) == (True, "Too slow")
    entry = LogEntry.objects.get()
    assert (entry.user.get_username(), entry.object_id, entry.object_repr) == ("sue", "a", "Import")
    assert (entry.get_change_message(), entry.get_admin_url()) == (
        "Cancelled. Reason: Too slow", f"{LIST}a/change/",
    )  # fmt: skip
    assert "Cancelled. Reason: Too slow" in cancelling.get(f"{LIST}a/history/").text


@pytest.mark.parametrize(
    ("state", "outcome", "logged"),
    [(TaskState.PENDING, "cancelled", 1), (TaskState.PROGRESS, "cancelling", 1), (TaskState.SUCCESS, "ended", 0)],
)
def test_cancel_answers_the_client_with_the_outcome(
    make_task: MakeTask, cancelling: Client, state: TaskState, outcome: str, logged: int
) -> None:
    make_task(state=state)
    assert cancelling.post(f"{LIST}a/cancel/", headers=JSON).json() == {"outcome": outcome}
    assert LogEntry.objects.count() == logged


def test_cancel_of_an_unknown_task(cancelling: Client, store: Store) -> None:
    assert cancelling.post(f"{LIST}a/cancel/", headers=JSON).status_code == 404
    assert cancelling.post(f"{LIST}a/cancel/").headers["Location"] == LIST


def test_cancel_while_the_store_is_away(away: None, cancelling: Client) -> None:
    assert cancelling.post(f"{LIST}a/cancel/", headers=JSON).status_code == 503
    assert read_messages(cancelling.post(f"{LIST}a/cancel/", follow=True)) == [
        "The store did not answer. Please try again."
    ]


def test_cancel_needs_a_csrf_token(make_task: MakeTask, cancelling: Client) -> None:
    make_task()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = cancelling.cookies
    assert strict.post(f"{LIST}a/cancel/").status_code == 403
    assert strict.get(f"{LIST}a/cancel/").status_code == 405


# Around it


def test_built_in_page_leads_staff_into_the_admin(make_task: MakeTask, watching: Client, watcher: User) -> None:
    make_task("a/b", owner=f"user:{watcher.pk}")
    page = "/tasks/a%252Fb/"
    assert f'href="{LIST}a_2Fb/change/"' in watching.get(page).text
    watcher.user_permissions.clear()
    assert "Open in the admin" not in watching.get(page).text


def test_built_in_page_asks_nothing_more_for_its_owner(
    make_task: MakeTask, alice_client: Client, owner: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_task(owner=owner)
    with django_assert_num_queries(2):  # session and user
        assert "Open in the admin" not in alice_client.get("/tasks/a/").text


def test_admin_site_of_ones_own(make_task: MakeTask, admin_client: Client, settings: Any) -> None:
    own = admin.AdminSite(name="backstage")
    own.register(Task, TaskAdmin)
    settings.ROOT_URLCONF = Urls(own)
    make_task(owner="user:77")
    response = admin_client.get(f"{LIST}a/change/")
    assert (response.status_code, find_element(response).attributes["token-url"]) == (200, TOKEN)
    assert (admin_client.get(LIST).status_code, admin_client.get(f"{LIST}a/history/").status_code) == (200, 200)


def test_there_is_no_table_and_nothing_asks_for_one(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert (list(Task.objects.all()), Task._base_manager.count()) == ([], 0)
    assert "channels_progress_task" not in connection.introspection.table_names()


def test_permissions_come_with_migrate(db: None) -> None:
    ours = Permission.objects.filter(content_type__app_label="channels_progress", content_type__model="task")
    assert set(ours.values_list("codename", "name")) == {
        ("view_task", "Can view task"),
        ("cancel_task", "Can cancel task"),
    }
