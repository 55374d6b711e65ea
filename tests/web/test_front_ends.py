"""Tasks in Jinja templates and in Django REST framework's views, by the code of docs/front-ends.md."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.template import engines
from django.test import Client
from django.urls import include, path
from rest_framework.test import APIRequestFactory, force_authenticate

from channels_progress.pages import task_context
from channels_progress.store import get_store
from channels_progress.tasks import broadcast_task
from channels_progress.testing import progress_in_memory
from channels_progress.tokens import Grant, verify_subscription_token
from channels_progress.viewers import NONCE_SESSION_KEY, Viewer, get_request_viewer
from tests.live.documents import read_chapters, write_block
from tests.tooling import ROOT
from tests.web.conftest import MakeRequest, MakeTask
from tests.web.markup import Page
from tests.web.test_pages import handle

CHAPTERS = read_chapters(ROOT / "docs" / "front-ends.md")


@broadcast_task(name="tests.web.import_cities")
def import_cities(reporter: Any, upload: str) -> None:
    reporter.message(upload)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path with the code of the document, and the task that the document takes for granted."""
    for block in [*CHAPTERS["Jinja"], *CHAPTERS["Django REST framework"]]:
        if block.names_file:
            write_block(tmp_path, block)
    tasks = ModuleType("cities.tasks")
    tasks.import_cities = import_cities  # type: ignore[attr-defined]
    for name, module in {"cities": ModuleType("cities"), "cities.tasks": tasks}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "mysite"]:
        del sys.modules[name]


@pytest.fixture
def jinja(project: Path, settings: Any) -> Any:
    text = next(block.text for block in CHAPTERS["Jinja"] if "BACKEND" in block.text)
    backend = eval(text, {"BASE_DIR": project})
    settings.TEMPLATES = [*settings.TEMPLATES, backend]
    return engines["jinja2"]


def test_a_jinja_page_shows_what_the_tag_shows(jinja: Any, make_task: MakeTask, make_request: MakeRequest) -> None:
    make_task(body={"title": "<Import>", "fraction": 0.25})
    page = Page(jinja.get_template("import.html").render({"task": handle()}, make_request()))
    assert (page.one("h1").text, page.hook("percent").text, page.hook("cancel").text) == ("<Import>", "25%", "Cancel")
    assert [script.attributes.get("type") for script in page.all("script")] == ["application/json", "module"]
    assert len(page.all("link")) == 1


def test_a_jinja_page_tells_a_stranger_nothing(jinja: Any, make_task: MakeTask, make_request: MakeRequest) -> None:
    make_task("others", owner="user:0")
    page = Page(jinja.get_template("import.html").render({"task": "others"}, make_request()))
    assert (page.all("task-progress"), page.one("p").text) == ([], "This task is not available.")


def test_a_jinja_macro_fills_markup_of_its_own(jinja: Any, make_task: MakeTask, make_request: MakeRequest) -> None:
    make_task(body={"title": '"><b>', "fraction": 0.25})
    source = '{% from "bar.html" import bar %}{{ bar(task, request) }}'
    request = make_request()
    page = Page(jinja.from_string(source).render({"task": handle()}, request))
    assert (page.hook("percent").text, page.hook("bar").attributes["value"], page.all("b")) == ("25%", "0.25", [])
    shown, attributes = task_context(handle(), request, cancel=False), page.one("task-progress").attributes
    assert shown
    assert json.loads(attributes.pop("data-frame"))["state"] == shown["frame"]["state"]
    # Not compared with another token, which may be of the next second.
    grant = verify_subscription_token(attributes.pop("token"), get_request_viewer(request))
    assert grant == Grant((shown["channel"],), frozenset())
    assert attributes == {
        "channel": shown["channel"],
        "socket": shown["socket_url"],
        "state-url": shown["state_url"],
        "token-url": shown["token_url"],
        "state": "PROGRESS",
        "anonymous": "",
    }


@pytest.fixture
def api(project: Path, settings: Any) -> Iterator[Any]:
    from mysite import api  # type: ignore[import-not-found]

    settings.ROOT_URLCONF = (
        path("api/start/", api.start),
        path("api/<uid>/", api.show),
        path("tasks/", include("channels_progress.urls")),
    )
    with progress_in_memory():
        yield api


def test_an_api_starts_a_task_and_says_how_to_follow_it(api: Any, alice: User, alice_client: Client) -> None:
    answer = alice_client.post("/api/start/", {"upload": "cities.txt"})
    context = answer.json()
    snapshot = get_store().read(context["uid"])
    assert snapshot
    assert (answer.status_code, snapshot.record.owner, context["state"]) == (202, f"user:{alice.pk}", "SUCCESS")
    assert context["messages"][0]["text"] == "cities.txt"
    assert verify_subscription_token(context["token"], Viewer(alice)).channels == (context["channel"],)


def test_an_api_shows_a_task_to_its_owner_only(
    api: Any, alice_client: Client, bob_client: Client, make_task: MakeTask, owner: str
) -> None:
    make_task("a", owner=owner)
    answers = [(client.get(f"/api/{uid}/")) for client in (alice_client, bob_client) for uid in ("a", "unknown")]
    assert [answer.status_code for answer in answers] == [200, 404, 404, 404]
    assert answers[0].json()["display"]["status"] == "Running"
    assert answers[1].content == answers[2].content == answers[3].content


def test_an_api_needs_the_login_and_the_csrf_token_as_ever(api: Any, alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    # The first of the settings' ways to log in, JSON web tokens, has this code.
    assert client.post("/api/start/", {"upload": "x"}).status_code == 401
    client.force_login(alice)
    assert client.post("/api/start/", {"upload": "x"}).status_code == 403


def test_whom_rest_framework_found_counts_not_the_session(
    api: Any, alice: User, make_task: MakeTask, owner: str
) -> None:
    make_task("a", owner=owner)
    request = APIRequestFactory().get("/api/a/")
    request.user = User(pk=0)
    force_authenticate(request, alice)
    answer = api.show(request, uid="a")
    assert (answer.status_code, answer.data["anonymous"]) == (200, False)
    assert verify_subscription_token(answer.data["token"], Viewer(alice)).channels == ("task:a",)


def test_an_anonymous_session_is_kept_through_rest_framework(
    api: Any, make_request: MakeRequest, make_task: MakeTask
) -> None:
    request = make_request()
    request.session[NONCE_SESSION_KEY] = "nonce"
    make_task("a", owner="session:nonce")
    answer = api.show(request, uid="a")
    assert (answer.status_code, answer.data["anonymous"]) == (200, True)
