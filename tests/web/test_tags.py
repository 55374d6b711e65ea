"""The tags: what a project's template puts on its page."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.template import Context, RequestContext, Template, engines
from django.utils import timezone, translation
from django.utils.functional import SimpleLazyObject

from channels_progress.pages import client_texts
from channels_progress.records import Message, TaskState
from channels_progress.store import Store
from tests.web.conftest import MakeRequest, MakeTask
from tests.web.markup import Page
from tests.web.test_pages import handle

TAG = "{% task_progress task %}"
ASSETS = "{% channels_progress_assets %}"


def render(source: str, request: Any, **context: Any) -> Page:
    template = engines["django"].from_string("{% load channels_progress %}" + source)
    return Page(template.render({"task": handle(), **context}, request))


def shown(make_task: MakeTask, make_request: MakeRequest, source: str = TAG, **task: Any) -> Page:
    make_task(**task)
    return render(source, make_request())


def without_times(text: str) -> str:
    return re.sub(r"\d\d:\d\d:\d\d ", "", text)


def test_tag_renders_the_current_state(make_task: MakeTask, make_request: MakeRequest) -> None:
    body = {
        "title": "Import",
        "message": "cities15000.txt",
        "current": 1204,
        "total": 30000,
        "fraction": 0.04,
        "stage": {"name": "Saving", "index": 2, "count": 3, "declared": True},
        "counters": {"skipped": 3},
    }
    page = shown(make_task, make_request, body=body, messages=(Message("warning", "3 rows have no name"),))
    hooks = page.hooks()
    assert hooks.pop("elapsed").endswith("so far")
    assert without_times(hooks.pop("messages")) == "Warning: 3 rows have no name"
    assert hooks == {
        "title": "Import",
        "status": "Running",
        "cancel": "Cancel",
        "percent": "4%",
        "stage": "Step 2 of 3: Saving",
        "message": "cities15000.txt",
        "count": "1,204 of 30,000",
        "counters": "skipped3",
        "link": "Continue",
    }
    assert page.hook("bar").attributes == {
        "class": "task-progress-bar",
        "data-progress": "bar",
        "max": "1",
        "value": "0.04",
        "aria-label": "Import",
        "aria-valuetext": "Step 2 of 3: Saving, 4%",
    }


def test_element_carries_what_the_client_needs(make_task: MakeTask, make_request: MakeRequest, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": "memory", "ALLOWED_REDIRECT_HOSTS": ["a.example", "b.example"]}
    attributes = shown(make_task, make_request).one("task-progress").attributes
    frame = json.loads(attributes.pop("data-frame"))
    assert (frame["type"], frame["channel"], frame["state"]["state"]) == ("task", "task:a", "PROGRESS")
    assert attributes.pop("token")
    assert attributes == {
        "class": "task-progress",
        "channel": "task:a",
        "socket": "/asgi/notifications/",
        "state-url": "/tasks/a/",
        "cancel-url": "/tasks/a/cancel/",
        "token-url": "/tasks/token/",
        "state": "PROGRESS",
        "liveness": "live",
        "anonymous": "",
        "redirect-hosts": "a.example b.example",
    }


@pytest.mark.parametrize(
    ("state", "value"),
    [
        (TaskState.PENDING, "0"),
        (TaskState.STARTED, None),
        (TaskState.RETRY, "0"),
        (TaskState.SUCCESS, "1"),
        (TaskState.FAILURE, "0"),
        (TaskState.REVOKED, "0"),
        (TaskState.IGNORED, "0"),
    ],
)
def test_bar_is_indeterminate_only_while_running(
    make_task: MakeTask, make_request: MakeRequest, state: TaskState, value: str | None
) -> None:
    assert shown(make_task, make_request, state=state).hook("bar").attributes.get("value") == value


def test_bar_value_is_a_number_in_every_language(make_task: MakeTask, make_request: MakeRequest) -> None:
    with translation.override("de"):
        page = shown(make_task, make_request, body={"fraction": 0.125, "current": 1234})
    assert (page.hook("bar").attributes["value"], page.hook("count").text) == ("0.125", "1.234")


def test_offset_of_a_message_is_a_number_in_every_language(
    make_task: MakeTask, make_request: MakeRequest, settings: Any
) -> None:
    settings.USE_THOUSAND_SEPARATOR = True
    settings.CHANNELS_PROGRESS = {"STORE": "memory", "MESSAGES_KEPT": 1}
    page = shown(make_task, make_request, messages=(Message("info", "line"),) * 1234)
    assert page.one("li").attributes["data-offset"] == "1234"


def test_success_shows_the_link(make_task: MakeTask, make_request: MakeRequest) -> None:
    page = shown(make_task, make_request, state=TaskState.SUCCESS, body={"redirect": "/cities/?page=1&q=a"})
    assert page.hook("link").attributes == {"data-progress": "link", "href": "/cities/?page=1&q=a"}
    assert (page.hook("status").text, page.hook("percent").text, page.all("form")) == ("Done", "100%", [])


def test_running_task_hides_the_link(make_task: MakeTask, make_request: MakeRequest) -> None:
    page = shown(make_task, make_request, body={"redirect": "/cities/"})
    assert page.hook("link").attributes == {"data-progress": "link", "hidden": ""}


@pytest.mark.parametrize("state", [TaskState.FAILURE, TaskState.REVOKED])
def test_end_shows_its_reason(make_task: MakeTask, make_request: MakeRequest, state: TaskState) -> None:
    page = shown(make_task, make_request, state=state, reason="Column 3 is not a date")
    assert page.hook("reason").text == "Column 3 is not a date"


def test_cancelling_hides_the_button(make_task: MakeTask, make_request: MakeRequest, store: Store) -> None:
    make_task()
    store.request_cancel("a")
    page = render(TAG, make_request())
    assert page.hook("status").text == "Cancelling…"
    assert "hidden" in page.one("form").attributes
    assert "cancelling" in page.one("task-progress").attributes


def test_cancel_form_works_without_javascript(make_task: MakeTask, make_request: MakeRequest) -> None:
    page = shown(make_task, make_request)
    form = page.one("form")
    fields = {field.attributes["name"]: field.attributes["value"] for field in page.all("input")}
    assert (form.attributes["method"], form.attributes["action"]) == ("post", "/tasks/a/cancel/")
    assert len(fields.pop("csrfmiddlewaretoken")) == 64
    assert fields == {"next": "/page/?tab=2", "token": page.one("task-progress").attributes["token"]}


def test_form_has_a_csrf_token_in_a_context_without_processors(make_task: MakeTask, make_request: MakeRequest) -> None:
    make_task()
    html = Template("{% load channels_progress %}{% task_progress task %}").render(
        Context({"request": make_request(), "task": handle()})
    )
    assert len(Page(html).all("input")[0].attributes["value"]) == 64


MARKUP = '<img src=x onerror="alert(1)">\'&"</script></task-progress>'


def test_markup_in_texts_is_shown_as_text(make_task: MakeTask, make_request: MakeRequest) -> None:
    body = {
        "title": MARKUP,
        "message": MARKUP,
        "stage": {"name": MARKUP, "index": 1, "count": None, "declared": False},
        "unit": MARKUP,
        "current": 1,
        "rate": 5,
        "counters": {MARKUP: 1},
        "redirect": "/" + MARKUP,
    }
    page = shown(make_task, make_request, body=body, messages=(Message("warning", MARKUP),))
    hooks, text = page.hooks(), " ".join(MARKUP.split())
    assert (page.all("img"), hooks["title"], hooks["message"]) == ([], text, text)
    assert (hooks["counters"], without_times(hooks["messages"])) == (f"{text}1", f"Warning: {text}")
    assert hooks["stage"] == f"Step 1: {text}"
    assert json.loads(page.one("task-progress").attributes["data-frame"])["state"]["title"] == MARKUP


def test_reason_is_shown_as_text(make_task: MakeTask, make_request: MakeRequest) -> None:
    page = shown(make_task, make_request, state=TaskState.FAILURE, reason=MARKUP)
    assert (page.all("img"), page.hook("reason").text) == ([], MARKUP)


def test_title_and_level_can_be_given(make_task: MakeTask, make_request: MakeRequest) -> None:
    tag = """{% task_progress task title='My "<import>"' heading_level=4 %}"""
    page = shown(make_task, make_request, tag, body={"title": "Import"})
    heading = page.one("h4")
    assert page.hook("bar").attributes["aria-label"] == 'My "<import>"'
    assert (heading.text, heading.attributes) == ('My "<import>"', {"class": "task-progress-title"})


def test_task_without_a_title_has_a_heading_all_the_same(make_task: MakeTask, make_request: MakeRequest) -> None:
    heading = shown(make_task, make_request).one("h2")
    assert (heading.text, heading.attributes) == ("Task", {"class": "task-progress-title", "data-progress": "title"})


def test_compact_leaves_out_log_and_counters(make_task: MakeTask, make_request: MakeRequest) -> None:
    tag = "{% task_progress task compact=True cancel=False %}"
    body = {"title": "Import", "counters": {"skipped": 3}, "fraction": 0.5}
    page = shown(make_task, make_request, tag, body=body, messages=(Message("info", "text"),))
    assert page.hooks() == {"title": "Import", "status": "Running", "percent": "50%", "link": "Continue"}
    element = page.one("task-progress").attributes
    assert (element["class"], element["compact"]) == ("task-progress task-progress-compact", "")


def test_headless_is_the_element_alone(make_task: MakeTask, make_request: MakeRequest) -> None:
    page = shown(make_task, make_request, "{% task_progress task headless=True %}", messages=(Message("info", "text"),))
    element = page.one("task-progress")
    assert (element.text, page.hooks(), page.all("form")) == ("", {}, [])
    assert {"hidden", "channel", "token", "socket", "data-frame"} <= set(element.attributes)
    assert "class" not in element.attributes


def test_message_has_its_time_in_the_page_s_zone(make_task: MakeTask, make_request: MakeRequest, store: Store) -> None:
    make_task(messages=(Message("info", "text"),))
    snapshot = store.read("a")
    assert snapshot
    with timezone.override("Asia/Kathmandu"):
        time = render(TAG, make_request()).one("time")
    moment = datetime.fromtimestamp(snapshot.messages[0].at / 1000, UTC)
    assert time.attributes["datetime"] == f"{moment.isoformat(timespec='milliseconds')[:-6]}Z"
    assert time.text == f"{moment + timedelta(hours=5, minutes=45):%H:%M:%S}"


def test_redirect_can_be_left_to_the_person(make_task: MakeTask, make_request: MakeRequest) -> None:
    element = shown(make_task, make_request, "{% task_progress task redirect=False %}").one("task-progress")
    assert element.attributes["redirect"] == "off"


def test_gap_in_the_log_is_told(make_task: MakeTask, make_request: MakeRequest, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": "memory", "MESSAGES_KEPT": 2}
    texts = tuple(Message("info", f"line {number}") for number in range(3))
    page = shown(make_task, make_request, messages=texts)
    lines = [(line.attributes, without_times(line.text)) for line in page.all("li")]
    assert lines == [
        ({"data-level": "info", "data-offset": "2"}, "Note: line 1"),
        ({"data-level": "info", "data-offset": "3"}, "Note: line 2"),
    ]
    assert [p.text for p in page.all("p") if p.attributes["class"] == "task-progress-gap"] == [
        "Older messages are no longer available."
    ]


def test_unknown_forbidden_and_undefined_tasks_look_alike(
    make_task: MakeTask, make_request: MakeRequest, alice: User
) -> None:
    make_task("others", owner="user:0")
    html = [
        engines["django"]
        .from_string("{% load channels_progress %}{% task_progress task %}")
        .render({"task": task}, make_request(alice))
        for task in ("others", "nothing-there", "", None)
    ]
    assert len(set(html)) == 1
    page = Page(html[0])
    assert (page.all("task-progress"), page.one("p").text) == ([], "This task is not available.")


@pytest.mark.usefixtures("away")
def test_handle_while_the_store_is_away_leaves_it_to_the_client(make_request: MakeRequest) -> None:
    page = render(TAG, make_request())
    attributes = page.one("task-progress").attributes
    assert (attributes["state"], "data-frame" in attributes, bool(attributes["token"])) == ("UNKNOWN", False, True)
    assert page.hooks() == {
        "title": "Task",
        "status": "The state is not known right now",
        "cancel": "Cancel",
        "link": "Continue",
    }


def test_task_is_worded_in_the_readers_language(make_task: MakeTask, make_request: MakeRequest) -> None:
    # Only English texts are there yet, so a number shows the language.
    with translation.override("fr"):
        page = shown(make_task, make_request, body={"current": 1234567})
    assert page.hook("count").text == "1 234 567"


@pytest.mark.parametrize(
    "source",
    [
        TAG,
        TAG + TAG + TAG,
        ASSETS + TAG + TAG,
        TAG + ASSETS,
        ASSETS + ASSETS,
        "{% if task %}{% with x=task %}" + TAG + "{% endwith %}{% endif %}" + ASSETS,
        TAG.replace("task %}", "'nothing-there' %}") + TAG,
    ],
)
def test_assets_stand_exactly_once_and_before_the_first_task(
    make_task: MakeTask, make_request: MakeRequest, source: str
) -> None:
    page = shown(make_task, make_request, source)
    names = [element.name for element in page.elements]
    assert (names[:3], names.count("script"), names.count("link")) == (["link", "script", "script"], 2, 1)


def test_assets_stand_once_across_included_and_separate_templates(
    make_task: MakeTask, make_request: MakeRequest
) -> None:
    make_task()
    request = make_request()
    fragment = engines["django"].from_string("{% load channels_progress %}" + TAG)
    first = fragment.render({"task": handle()}, request)
    page = render("{{ first }}{% include fragment %}", request, first=first, fragment=fragment)
    assert (len(page.all("task-progress")), len(page.all("link"))) == (2, 1)


def test_assets_hold_the_texts_and_the_module(make_request: MakeRequest) -> None:
    page = render(ASSETS, make_request())
    texts, module = page.all("script")
    assert texts.attributes == {"id": "channels-progress-texts", "type": "application/json"}
    assert json.loads("".join(texts.parts)) == client_texts()
    assert module.attributes == {"type": "module", "src": "/static/channels_progress/channels_progress.js"}
    assert page.one("link").attributes == {
        "rel": "stylesheet",
        "href": "/static/channels_progress/channels_progress.css",
    }


class Request:
    """A request on which django-csp has put a nonce: made when first read, and false until then."""

    def __init__(self) -> None:
        self.csp_nonce = SimpleLazyObject(lambda: "from-request")


class LazyNonce(SimpleLazyObject):
    """As ``django.middleware.csp.LazyNonce`` of Django 6."""

    def __bool__(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("context", "nonce"),
    [({}, "from-request"), ({"csp_nonce": LazyNonce(lambda: "from-context")}, "from-context")],
    ids=["django-csp", "Django 6"],
)
def test_csp_nonce_is_passed_through(context: dict[str, Any], nonce: str) -> None:
    html = Template("{% load channels_progress %}" + ASSETS).render(Context({"request": Request(), **context}))
    page = Page(html)
    assert [element.attributes.get("nonce") for element in page.elements] == [nonce, None, nonce]


def test_page_needs_no_inline_script_or_style(make_task: MakeTask, make_request: MakeRequest) -> None:
    page = shown(make_task, make_request, state=TaskState.FAILURE, messages=(Message("error", "text"),))
    inline = [
        (element.name, name)
        for element in page.elements
        for name in element.attributes
        if name.startswith("on") or name == "style"
    ]
    scripts = [(script.attributes["type"], script.text != "") for script in page.all("script")]
    assert (inline, page.all("style")) == ([], [])
    assert scripts == [("application/json", True), ("module", False)]


def test_tags_need_the_request(store: Store) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"django\.template\.context_processors\.request"):
        Template("{% load channels_progress %}" + ASSETS).render(Context())


def test_partials_can_be_overridden_one_by_one(make_task: MakeTask, make_request: MakeRequest, settings: Any) -> None:
    make_task(body={"title": "Import"})
    ours = {"channels_progress/_title.html": "<h6>mine: {{ title }}</h6>"}
    loaders = [
        ("django.template.loaders.locmem.Loader", ours),
        "django.template.loaders.app_directories.Loader",
    ]
    options = {**settings.TEMPLATES[0]["OPTIONS"], "loaders": loaders}
    settings.TEMPLATES = [{"BACKEND": settings.TEMPLATES[0]["BACKEND"], "OPTIONS": options}]
    page = render(TAG, make_request())
    assert (page.one("h6").text, page.hook("status").text) == ("mine: Import", "Running")


def test_request_context_without_processors_is_enough(make_task: MakeTask, make_request: MakeRequest) -> None:
    make_task()
    request = make_request()
    template = Template("{% load channels_progress %}" + TAG)
    html = template.render(RequestContext(request, {"request": request, "task": handle()}))
    assert Page(html).one("task-progress").attributes["channel"] == "task:a"
