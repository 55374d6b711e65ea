"""A task over HTTP: its page, its state as JSON, cancelling, fresh tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import pytest
from django.conf import settings as django_settings
from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.test import AsyncClient, Client, RequestFactory
from django.urls import include, path, reverse
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from channels_progress.events import list_channel, task_frame
from channels_progress.records import Liveness, Message, TaskState
from channels_progress.store import Store
from channels_progress.tokens import Grant, issue_subscription_token, verify_subscription_token
from channels_progress.viewers import NONCE_SESSION_KEY, Viewer, ensure_nonce
from tests.web.conftest import MakeTask
from tests.web.markup import Page

JSON = {"accept": "application/json"}
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
TOKEN_HEADER = "x-channels-progress-token"


class I18nUrls:
    """A URLconf that puts the language before everything."""

    urlpatterns = i18n_patterns(path("tasks/", include("channels_progress.urls")))


def token_of(user: User, *, uid: str = "a", rights: tuple[str, ...] = (), **options: Any) -> str:
    return issue_subscription_token(Viewer(user), [f"task:{uid}"], rights=rights, **options)


def may_see_all(user: Any, channel: str) -> bool:
    return channel.startswith("task:") and user.username == "bob"


@pytest.fixture
def bob_sees_all(settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": "memory", "SUBSCRIPTION_AUTHORIZER": may_see_all}


# The page and its state


def test_owner_reads_the_task_frame(make_task: MakeTask, alice_client: Client, owner: str, store: Store) -> None:
    make_task(owner=owner, body={"fraction": 0.5}, messages=(Message("info", "first"),))
    response = alice_client.get("/tasks/a/", headers=JSON)
    snapshot = store.read("a")
    assert snapshot
    frame = response.json()
    assert frame == task_frame(snapshot, Liveness.LIVE) | {"now": frame["now"]}
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")


def test_page_shows_the_task_with_heading_and_assets(make_task: MakeTask, alice_client: Client, owner: str) -> None:
    make_task(owner=owner, body={"title": "Import", "fraction": 0.5})
    response = alice_client.get("/tasks/a/", headers=BROWSER)
    page = Page(response.text)
    assert (response.status_code, page.one("h1").text, page.one("title").text) == (200, "Import", "Import")
    assert (page.hook("percent").text, len(page.all("link")), len(page.all("script"))) == ("50%", 1, 2)
    assert (page.one("html").attributes, page.one("link").inside) == ({"lang": "en-us", "dir": "ltr"}, ("html", "head"))


def test_page_needs_no_inline_script_or_style(make_task: MakeTask, alice_client: Client, owner: str) -> None:
    make_task(owner=owner)
    page = Page(alice_client.get("/tasks/a/").text)
    names = [name for element in page.elements for name in element.attributes]
    assert [name for name in names if name.startswith("on") or name == "style"] == []
    assert [script.attributes["type"] for script in page.all("script") if script.text] == ["application/json"]
    assert page.all("style") == []


def test_page_without_javascript_reloads_from_its_head(make_task: MakeTask, alice_client: Client, owner: str) -> None:
    make_task(owner=owner)
    page = Page(alice_client.get("/tasks/a/").text)
    refresh = [meta.inside for meta in page.all("meta") if meta.attributes.get("http-equiv") == "refresh"]
    assert refresh == [("html", "head", "noscript")]


@pytest.mark.parametrize(
    ("accept", "query", "kind"),
    [
        ("*/*", "", "text/html"),
        ("text/html", "", "text/html"),
        (BROWSER["accept"], "", "text/html"),
        ("application/json", "", "application/json"),
        ("application/*", "", "application/json"),
        ("APPLICATION/JSON", "", "application/json"),
        ("application/json, text/html;q=0.9", "", "application/json"),
        ("text/html;q=0.1, application/json;q=0.9", "", "application/json"),
        ("application/json;q=0.5, text/html", "", "text/html"),
        ("application/json;q=0", "", "text/html"),
        ("text/*;q=0.5, */*;q=0.1", "", "text/html"),
        ("image/png", "", "text/html"),
        ("application/jsonp", "", "text/html"),
        (";;,,q=", "", "text/html"),
        ("", "", "text/html"),
        ("text/html", "?format=json", "application/json"),
        ("text/html", "?format=xml", "text/html"),
    ],
)
def test_accept_header_decides_between_page_and_json(
    make_task: MakeTask, alice_client: Client, owner: str, accept: str, query: str, kind: str
) -> None:
    make_task(owner=owner)
    response = alice_client.get(f"/tasks/a/{query}", headers={"accept": accept})
    assert (response.status_code, response.headers["Content-Type"].split(";")[0]) == (200, kind)


@pytest.mark.parametrize("headers", [JSON, BROWSER], ids=["json", "page"])
def test_answers_are_not_cached(make_task: MakeTask, alice_client: Client, owner: str, headers: dict[str, str]) -> None:
    make_task(owner=owner)
    response = alice_client.get("/tasks/a/", headers=headers)
    assert (response.headers["Cache-Control"], response.headers["Vary"]) == ("no-store", "Accept, Cookie")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_state_is_only_read(make_task: MakeTask, alice_client: Client, owner: str, method: str) -> None:
    make_task(owner=owner)
    assert getattr(alice_client, method)("/tasks/a/").status_code == 405


def test_head_answers_as_get_without_a_body(make_task: MakeTask, alice_client: Client, owner: str) -> None:
    make_task(owner=owner)
    response = alice_client.head("/tasks/a/", headers=JSON)
    assert (response.status_code, response.headers["Content-Type"], response.content) == (200, "application/json", b"")


# Messages since


def test_messages_are_those_since(make_task: MakeTask, alice_client: Client, owner: str) -> None:
    make_task(owner=owner, messages=tuple(Message("info", f"line {number}") for number in (1, 2, 3)))
    epoch = alice_client.get("/tasks/a/", headers=JSON).json()["epoch"]
    frame = alice_client.get(f"/tasks/a/?since={epoch}:2", headers=JSON).json()
    assert [(message["offset"], message["text"]) for message in frame["messages"]] == [(3, "line 3")]
    assert frame["recovered"] is True


def test_messages_since_another_epoch_are_all_of_this_one(
    make_task: MakeTask, alice_client: Client, owner: str
) -> None:
    make_task(owner=owner, messages=(Message("info", "line 1"),))
    frame = alice_client.get("/tasks/a/?since=another:7", headers=JSON).json()
    assert [message["offset"] for message in frame["messages"]] == [1]


@pytest.mark.parametrize("since", ["7", "e:", ":7", "e:-1", "e:1.5", "e:x", "e:7:8", "e:" + "9" * 30, "x" * 99 + ":1"])
def test_malformed_since_is_a_bad_request(make_task: MakeTask, alice_client: Client, owner: str, since: str) -> None:
    make_task(owner=owner)
    response = alice_client.get("/tasks/a/", {"since": since}, headers=JSON)
    assert (response.status_code, response.json()) == (400, {"error": "since: <epoch>:<offset> is expected"})


# Who may see it


@pytest.mark.parametrize("headers", [JSON, BROWSER], ids=["json", "page"])
@pytest.mark.parametrize("uid", ["../x", "a" * 3000, "ü\x00\x7f", "nothing-there"])
def test_unknown_and_forbidden_get_the_same_answer(
    make_task: MakeTask, bob_client: Client, owner: str, headers: dict[str, str], uid: str
) -> None:
    make_task("others", owner=owner)
    answers = [bob_client.get(f"/tasks/{name}/", headers=headers) for name in (uid.replace("/", "_"), "others")]
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].content == answers[1].content
    assert answers[0].headers == answers[1].headers


def test_developers_read_who_would_see_the_task(make_task: MakeTask, bob_client: Client, settings: Any) -> None:
    settings.DEBUG = True
    make_task()
    answers = [bob_client.get(f"/tasks/{name}/", headers=BROWSER).content.decode() for name in ("a", "b")]
    assert all("for_request(request)" in answer for answer in answers)
    assert answers[0].replace("/a/", "/b/") == answers[1]


def test_not_found_as_json_says_nothing_else(bob_client: Client, store: Store) -> None:
    response = bob_client.get("/tasks/nothing-there/", headers=JSON)
    assert (response.json(), response.headers["Cache-Control"]) == ({"error": "not found"}, "no-store")


def test_task_without_an_owner_is_nobodys(make_task: MakeTask, bob_client: Client) -> None:
    make_task()
    assert [client.get("/tasks/a/", headers=JSON).status_code for client in (bob_client, Client())] == [404, 404]


@pytest.mark.usefixtures("bob_sees_all")
def test_authorized_viewer_sees_the_page_without_a_cancel_button(make_task: MakeTask, bob_client: Client) -> None:
    make_task(owner="user:0")
    page = Page(bob_client.get("/tasks/a/").text)
    assert (page.hook("status").text, page.all("form")) == ("Running", [])


def test_anonymous_owner_is_known_by_the_session(make_task: MakeTask, client: Client, db: None) -> None:
    session = client.session
    session[NONCE_SESSION_KEY] = "nonce"
    session.save()
    make_task(owner="session:nonce")
    assert client.get("/tasks/a/", headers=JSON).json()["channel"] == "task:a"
    assert Page(client.get("/tasks/a/").text).one("task-progress").attributes["anonymous"] == ""


def test_asking_leaves_no_session_behind(client: Client, store: Store, db: None) -> None:
    client.get("/tasks/nothing-there/", headers=JSON)
    client.get("/tasks/nothing-there/")
    assert dict(client.cookies) == {}


def test_token_in_the_header_opens_the_state(make_task: MakeTask, bob_client: Client) -> None:
    make_task(owner="user:0")
    token = token_of(User.objects.get(username="bob"))
    response = bob_client.get("/tasks/a/", headers={**JSON, TOKEN_HEADER: token})
    assert response.json()["channel"] == "task:a"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda bob, alice: token_of(bob, uid="b"),
        lambda bob, alice: token_of(alice),
        lambda bob, alice: token_of(bob)[:-1] + "!",
        lambda bob, alice: token_of(bob, ttl=1e-9),
        lambda bob, alice: "nonsense",
        lambda bob, alice: "",
    ],
    ids=["of another task", "of another user", "tampered", "expired", "nonsense", "empty"],
)
def test_token_that_is_not_good_opens_nothing(
    make_task: MakeTask, bob_client: Client, alice: User, spoil: Callable[[User, User], str]
) -> None:
    make_task(owner="user:0")
    token = spoil(User.objects.get(username="bob"), alice)
    response = bob_client.get("/tasks/a/", headers={**JSON, TOKEN_HEADER: token})
    assert (response.status_code, response.json()) == (404, {"error": "not found"})


def test_owner_is_told_that_a_token_has_aged(
    make_task: MakeTask, alice_client: Client, alice: User, owner: str
) -> None:
    make_task(owner=owner)
    headers = {**JSON, TOKEN_HEADER: token_of(alice, ttl=1e-9)}
    answers = [alice_client.get(url, headers=headers) for url in ("/tasks/a/", "/tasks/mine/")]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(404, {"error": "not found"})] * 2


def test_good_token_of_a_task_without_a_record_is_told_to_come_again(bob_client: Client, store: Store) -> None:
    token = token_of(User.objects.get(username="bob"))
    response = bob_client.get("/tasks/a/", headers={**JSON, TOKEN_HEADER: token})
    assert (response.status_code, response.json(), response["Retry-After"]) == (503, {"error": "unavailable"}, "5")


def test_token_in_the_address_opens_nothing(make_task: MakeTask, bob_client: Client) -> None:
    make_task(owner="user:0")
    token = token_of(User.objects.get(username="bob"))
    assert bob_client.get("/tasks/a/", {"token": token}, headers=JSON).status_code == 404


# The store is away


@pytest.mark.usefixtures("away")
def test_json_while_the_store_is_away(alice_client: Client) -> None:
    response = alice_client.get("/tasks/a/", headers=JSON)
    assert (response.status_code, response.json()) == (503, {"error": "unavailable"})
    assert (response.headers["Retry-After"], response.headers["Cache-Control"]) == ("5", "no-store")


@pytest.mark.usefixtures("away")
def test_page_while_the_store_is_away_tries_again_by_itself(alice_client: Client) -> None:
    response = alice_client.get("/tasks/a/", headers=BROWSER)
    page = Page(response.text)
    refresh = [meta.attributes["content"] for meta in page.all("meta") if "http-equiv" in meta.attributes]
    assert (response.status_code, page.one("h1").text, refresh) == (503, "Just a moment", ["5"])


@pytest.mark.usefixtures("away")
def test_cancel_and_token_while_the_store_is_away(alice_client: Client, alice: User) -> None:
    cancelled = alice_client.post("/tasks/a/cancel/", headers=JSON)
    refreshed = alice_client.post("/tasks/token/", {"token": token_of(alice)}, headers=JSON)
    assert [(answer.status_code, answer.json()) for answer in (cancelled, refreshed)] == [
        (503, {"error": "unavailable"})
    ] * 2


# Cancelling


def test_owner_cancels_a_running_task_with_a_reason(
    make_task: MakeTask, alice_client: Client, owner: str, store: Store
) -> None:
    make_task(owner=owner)
    response = alice_client.post("/tasks/a/cancel/", {"reason": "  Wrong file "}, headers=JSON)
    snapshot = store.read("a")
    assert snapshot
    assert (response.status_code, response.json()) == (200, {"outcome": "cancelling"})
    assert (snapshot.record.cancelling, snapshot.record.reason) == (True, "Wrong file")
    assert (response.headers["Cache-Control"], response.headers["Vary"]) == ("no-store", "Accept, Cookie")


@pytest.mark.parametrize(
    ("state", "outcome"),
    [(TaskState.PENDING, "cancelled"), (TaskState.RETRY, "cancelled"), (TaskState.SUCCESS, "ended")],
)
def test_outcome_is_told(make_task: MakeTask, alice_client: Client, owner: str, state: TaskState, outcome: str) -> None:
    make_task(state=state, owner=owner)
    assert alice_client.post("/tasks/a/cancel/", headers=JSON).json() == {"outcome": outcome}


def test_overlong_reason_is_cut(make_task: MakeTask, alice_client: Client, owner: str, store: Store) -> None:
    make_task(owner=owner)
    alice_client.post("/tasks/a/cancel/", {"reason": "x" * 9_000}, headers=JSON)
    snapshot = store.read("a")
    assert snapshot
    assert (len(snapshot.record.reason), snapshot.record.reason[-2:]) == (2_000, "x…")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/page/?tab=2", "/page/?tab=2"),
        ("", "/tasks/a/"),
        ("https://evil.example.net/", "/tasks/a/"),
        ("//evil.example.net/", "/tasks/a/"),
        ("javascript:alert(1)", "/tasks/a/"),
    ],
)
def test_browser_is_led_back_to_its_own_page_only(
    make_task: MakeTask, alice_client: Client, owner: str, target: str, expected: str
) -> None:
    make_task(owner=owner)
    response = alice_client.post("/tasks/a/cancel/", {"next": target}, headers=BROWSER)
    assert (response.status_code, response.headers["Location"]) == (302, expected)


def test_form_of_the_page_cancels(make_task: MakeTask, alice: User, owner: str, store: Store) -> None:
    make_task(owner=owner)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    page = Page(browser.get("/tasks/a/").text)
    fields = {field.attributes["name"]: field.attributes["value"] for field in page.all("input")}
    response = browser.post(page.one("form").attributes["action"], fields, follow=True)
    assert Page(response.text).hook("status").text == "Cancelling…"


@pytest.mark.parametrize("middleware", [True, False], ids=["with middleware", "without"])
def test_cancel_without_a_csrf_token_is_refused(
    make_task: MakeTask, alice: User, owner: str, store: Store, settings: Any, middleware: bool
) -> None:
    if not middleware:
        settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "Csrf" not in name]
    make_task(owner=owner)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    response = browser.post("/tasks/a/cancel/", headers=JSON)
    snapshot = store.read("a")
    assert snapshot
    assert (response.status_code, snapshot.record.cancelling) == (403, False)


def test_cancel_needs_a_post(make_task: MakeTask, alice_client: Client, owner: str) -> None:
    make_task(owner=owner)
    assert alice_client.get("/tasks/a/cancel/").status_code == 405


@pytest.mark.usefixtures("bob_sees_all")
def test_watching_is_not_cancelling(make_task: MakeTask, bob_client: Client) -> None:
    make_task(owner="user:0")
    token = token_of(User.objects.get(username="bob"))
    statuses = [
        bob_client.get("/tasks/a/", headers=JSON).status_code,
        bob_client.post("/tasks/a/cancel/", headers={**JSON, TOKEN_HEADER: token}).status_code,
    ]
    assert statuses == [200, 404]


@pytest.mark.parametrize("in_header", [True, False], ids=["header", "field"])
def test_token_with_the_right_cancels(make_task: MakeTask, bob_client: Client, in_header: bool) -> None:
    make_task(owner="user:0")
    token = token_of(User.objects.get(username="bob"), rights=("cancel",))
    headers, fields = ({**JSON, TOKEN_HEADER: token}, {}) if in_header else (JSON, {"token": token})
    assert bob_client.post("/tasks/a/cancel/", fields, headers=headers).json() == {"outcome": "cancelling"}


def test_token_of_another_task_does_not_cancel(make_task: MakeTask, bob_client: Client) -> None:
    make_task(owner="user:0")
    token = token_of(User.objects.get(username="bob"), uid="b", rights=("cancel",))
    assert bob_client.post("/tasks/a/cancel/", {"token": token}, headers=JSON).status_code == 404


@pytest.mark.parametrize("headers", [JSON, BROWSER], ids=["json", "page"])
def test_cancelling_the_unknown_and_the_forbidden_get_the_same_answer(
    make_task: MakeTask, bob_client: Client, owner: str, headers: dict[str, str]
) -> None:
    make_task("others", owner=owner)
    token = token_of(User.objects.get(username="bob"), uid="gone", rights=("cancel",))
    answers = [
        bob_client.post(f"/tasks/{uid}/cancel/", {"token": token}, headers=headers)
        for uid in ("others", "nothing-there", "gone")
    ]
    assert ({answer.status_code for answer in answers}, len({answer.content for answer in answers})) == ({404}, 1)


# Fresh tokens


def test_expired_token_of_the_owner_becomes_a_fresh_one(
    make_task: MakeTask, alice_client: Client, alice: User, owner: str
) -> None:
    make_task(owner=owner)
    response = alice_client.post("/tasks/token/", {"token": token_of(alice, rights=("cancel",), ttl=1e-9)})
    assert (response.status_code, list(response.json())) == (200, ["token"])
    assert response.headers["Cache-Control"] == "no-store"


def test_fresh_token_keeps_channel_and_rights(
    make_task: MakeTask, alice_client: Client, alice: User, owner: str
) -> None:
    make_task(owner=owner)
    old = token_of(alice, rights=("cancel",))
    fresh = alice_client.post("/tasks/token/", {"token": old}).json()["token"]
    cancelled = alice_client.post("/tasks/a/cancel/", headers={**JSON, TOKEN_HEADER: fresh})
    assert cancelled.json() == {"outcome": "cancelling"}


@pytest.mark.usefixtures("bob_sees_all")
def test_fresh_token_loses_a_right_that_no_longer_holds(make_task: MakeTask, bob_client: Client) -> None:
    make_task(owner="user:0")
    old = token_of(User.objects.get(username="bob"), rights=("cancel",))
    fresh = bob_client.post("/tasks/token/", {"token": old}).json()["token"]
    headers = {**JSON, TOKEN_HEADER: fresh}
    statuses = [
        bob_client.get("/tasks/a/", headers=headers).status_code,
        bob_client.post("/tasks/a/cancel/", headers=headers).status_code,
    ]
    assert statuses == [200, 404]


@pytest.mark.parametrize(
    ("user", "uid"), [("alice", "a"), ("bob", "a"), ("bob", "nothing-there")], ids=["foreign", "lost", "unknown"]
)
def test_token_without_a_right_behind_it_is_not_refreshed(
    make_task: MakeTask, bob_client: Client, alice: User, user: str, uid: str
) -> None:
    make_task(owner="user:0")
    token = token_of(User.objects.get(username=user), uid=uid)
    response = bob_client.post("/tasks/token/", {"token": token}, headers=JSON)
    assert (response.status_code, response.json()) == (404, {"error": "not found"})


def test_fresh_token_watches_only_the_viewers_own_lists(store: Store, alice_client: Client, alice: User) -> None:
    session = alice_client.session
    nonce = ensure_nonce(session)
    session.save()
    mine = [list_channel(f"user:{alice.pk}"), list_channel(f"session:{nonce}")]
    others = [list_channel("user:0"), "tasks:", "tasks:everybody"]
    old = issue_subscription_token(Viewer(alice), [*mine, *others], rights=["cancel"])
    fresh = alice_client.post("/tasks/token/", {"token": old}, headers=JSON).json()["token"]
    assert verify_subscription_token(fresh, Viewer(alice)) == Grant(tuple(mine), frozenset())
    refused = issue_subscription_token(Viewer(alice), others)
    assert alice_client.post("/tasks/token/", {"token": refused}, headers=JSON).status_code == 404


@pytest.mark.parametrize("fields", [{}, {"token": ""}, {"token": "nonsense"}, {"token": "\ud800~x"}])
def test_no_token_is_not_refreshed(alice_client: Client, store: Store, fields: dict[str, str]) -> None:
    data = {key: value.encode("utf-8", "surrogatepass") for key, value in fields.items()}
    assert alice_client.post("/tasks/token/", data, headers=JSON).status_code == 404


def test_channel_that_is_no_tasks_is_not_refreshed(
    make_task: MakeTask, alice_client: Client, alice: User, owner: str
) -> None:
    make_task("news", owner=owner)
    token = issue_subscription_token(Viewer(alice), ["news"])
    assert alice_client.post("/tasks/token/", {"token": token}, headers=JSON).status_code == 404


def test_page_without_a_cancel_form_can_refresh_its_token(make_task: MakeTask, alice: User, owner: str) -> None:
    make_task(owner=owner)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    assert browser.post("/tasks/token/", {"token": token_of(alice)}).status_code == 200


# Ways to deploy it


@pytest.mark.parametrize("headers", [JSON, BROWSER], ids=["json", "page"])
def test_session_and_user_are_all_that_is_queried(
    make_task: MakeTask,
    alice_client: Client,
    owner: str,
    headers: dict[str, str],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_task(owner=owner, state=TaskState.SUCCESS)
    with django_assert_num_queries(2):
        alice_client.get("/tasks/a/", headers=headers)


@pytest.mark.parametrize("uid", ["reports/42", "a/cancel", "..", ".", "token", "50%", "%2F", "a%2Fb", "ż?#;\n{}"])
def test_any_text_is_a_uid(make_task: MakeTask, alice_client: Client, owner: str, uid: str, store: Store) -> None:
    make_task(uid, owner=owner)
    attributes = (
        Page(alice_client.get(reverse("channels_progress:task", args=[uid])).text).one("task-progress").attributes
    )
    assert urljoin("http://testserver/", attributes["state-url"]) == f"http://testserver{attributes['state-url']}"
    assert alice_client.get(attributes["state-url"], headers=JSON).json()["channel"] == f"task:{uid}"
    assert alice_client.post(attributes["cancel-url"], headers=JSON).json() == {"outcome": "cancelling"}
    assert store.read(uid).record.cancelling  # type: ignore[union-attr]


def test_works_below_a_script_name(make_task: MakeTask, alice_client: Client, owner: str, rf: RequestFactory) -> None:
    make_task(owner=owner)
    cookie = alice_client.cookies.output(header="", sep=";", attrs=[])
    environ = rf.get("/tasks/a/", SCRIPT_NAME="/shop", HTTP_COOKIE=cookie).environ
    page = Page(b"".join(WSGIHandler()(environ, lambda status, headers: None)).decode())
    attributes = page.one("task-progress").attributes
    assert (attributes["socket"], attributes["state-url"]) == ("/shop/asgi/notifications/", "/shop/tasks/a/")


def test_works_in_i18n_patterns(make_task: MakeTask, alice_client: Client, owner: str, settings: Any) -> None:
    settings.ROOT_URLCONF = I18nUrls
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.locale.LocaleMiddleware"]
    make_task(owner=owner, body={"current": 1234})
    page = Page(alice_client.get("/de/tasks/a/").text)
    assert (page.one("html").attributes["lang"], page.hook("count").text) == ("de", "1.234")
    assert page.one("task-progress").attributes["state-url"] == "/de/tasks/a/"


def test_right_to_left_languages_are_marked(make_task: MakeTask, alice_client: Client, owner: str) -> None:
    make_task(owner=owner)
    with translation.override("ar"):
        page = Page(alice_client.get("/tasks/a/").text)
    assert page.one("html").attributes == {"lang": "ar", "dir": "rtl"}


def test_works_with_atomic_requests(
    make_task: MakeTask, alice_client: Client, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(django_settings.DATABASES["default"], "ATOMIC_REQUESTS", True)
    make_task(owner=owner)
    statuses = [
        alice_client.get("/tasks/a/", headers=JSON).status_code,
        alice_client.get("/tasks/a/").status_code,
        alice_client.post("/tasks/a/cancel/", headers=JSON).status_code,
    ]
    assert statuses == [200, 200, 200]


@pytest.mark.django_db(transaction=True)
async def test_works_under_asgi(make_task: MakeTask, async_client: AsyncClient) -> None:
    alice = await User.objects.acreate(username="alice")
    await async_client.aforce_login(alice)
    make_task(owner=f"user:{alice.pk}")
    frame = await async_client.get("/tasks/a/", headers=JSON)
    page = await async_client.get("/tasks/a/")
    assert (frame.json()["channel"], Page(page.text).hook("status").text) == ("task:a", "Running")


def test_works_without_session_middleware(make_task: MakeTask, client: Client, settings: Any) -> None:
    settings.MIDDLEWARE = []
    make_task(owner="user:0")
    assert client.get("/tasks/a/", headers=JSON).status_code == 404
