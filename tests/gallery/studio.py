"""Opens scenes in a browser: rendered by the real templates, followed by the real client, at a time that stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.contrib.staticfiles import finders
from django.template import engines
from django.template.loader import render_to_string
from django.test import override_settings
from django.utils import timezone, translation
from playwright.sync_api import BrowserContext, Page, Route, expect

from channels_progress.bell import inbox_context
from channels_progress.conf import SETTING
from channels_progress.events import list_channel, task_channel
from channels_progress.mine import task_list_context
from channels_progress.own_tasks import list_frames
from channels_progress.pages import build_frame, task_context
from channels_progress.store import get_store
from channels_progress.viewers import Viewer
from tests.gallery import rtl, staff
from tests.gallery.inboxes import keep
from tests.gallery.lives import NOW_MS, play
from tests.gallery.scenes import Scene
from tests.js.stage import ADA, ORIGIN, OWNER, Stage

#: A store that cannot be reached.
AWAY = "redis://127.0.0.1:1/0"
PAGES = {
    "list": "<h1>Tasks</h1>{% for uid in uids %}{% task_progress uid compact=compact %}{% endfor %}",
    "unknown": "<h1>Tasks</h1>{% task_progress handle title='Import cities' %}",
    "menu": """<div class="site"><h1>Tasks</h1>{% my_tasks %}</div><p>A page of the site.</p><style>
        .site { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between }
        .site h1 { margin: 0 } main { min-block-size: 30rem }</style>""",
    "messages": """<h1>Cities</h1><p>A page of the site, with something on it that is read.</p>
        {% page_messages duration_s=0 %}<style>main { min-block-size: 26rem }</style>""",
    "bell": """<div class="site"><h1>Cities</h1>{% notification_bell %}</div><p>A page of the site.</p><style>
        .site { display: flex; align-items: center; justify-content: space-between }
        .site h1 { margin: 0 } main { min-block-size: 34rem }</style>""",
    "not-yours": "<h1>Tasks</h1>{% task_progress 'somebody-elses' %}",
}
SKELETON = """{{% extends "channels_progress/base.html" %}}{{% load channels_progress %}}
{{% block title %}}Tasks{{% endblock %}}
{{% block head %}}{{% channels_progress_assets %}}{{% endblock %}}
{{% block content %}}{content}{{% endblock %}}"""
PATHS = ("/tasks/a/", "/tasks/token/")
MY_TASKS = ("menu", "my-tasks")
INBOXES = ("bell", "inbox")
# The first two waits of a client that gets no connection are none, the later ones long.
QUICK_THEN_CALM = "{ let calls = 0; Math.random = () => (calls++ < 2 ? 0 : 0.999); }"


class Handle:
    """A task of a view that may show it."""

    id = "a"
    state = "PENDING"


def make_context(browser: Any, **options: Any) -> BrowserContext:
    """A browser context whose pages look the same whenever and wherever they are opened."""
    context: BrowserContext = browser.new_context(timezone_id="UTC", locale="en-GB", **options)
    context.add_init_script(QUICK_THEN_CALM)
    return context


class Studio(Stage):
    """Shows one scene after another on one page.

    Attributes:
        style: CSS that the page has besides ours, after it.
    """

    now = staticmethod(lambda: NOW_MS)

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.style = ""
        page.clock.set_fixed_time(NOW_MS / 1000)

    def open(self, scene: Scene) -> None:
        """Show the scene; returns once it looks as it will go on to look."""
        self._clear()
        with _site(scene):
            for uid, life in scene.lives.items():
                play(uid, life, OWNER)
                self._answer_with(uid)
            (self.readings[list_channel(OWNER)],) = list_frames(Viewer(ADA)) if scene.page in MY_TASKS else ({},)
            self.html = self._render(scene)
        self.is_socket_open = scene.connection != "polling" and bool(
            scene.lives or scene.said or scene.page in (*MY_TASKS, *INBOXES)
        )
        self.page.goto(f"{ORIGIN}/page/")
        self._settle(scene)

    def report(self, *, attempt: int = 1, messages: Sequence[dict[str, Any]] = (), **state: Any) -> None:
        """The task on the page says something new; the page hears of it as of any hint."""
        frame = self.readings[task_channel("a")]
        frame = {**frame, "attempt": attempt, "seq": frame["seq"] + 1, "messages": list(messages)}
        frame["state"] = {**frame["state"], **state}
        self.readings[task_channel("a")] = frame
        self.say(frame)

    def _clear(self) -> None:
        # A client that is still there must not find the next scene's server.
        self.page.goto("about:blank")
        self.sockets.clear()
        self.heard.clear()
        self.readings.clear()
        self.answers = {"/page/": (503, {}), "/tasks/mine/": (200, {"marked": 0})}

    def _answer_with(self, uid: str) -> None:
        snapshot = get_store().read(uid)
        assert snapshot
        self.readings[task_channel(uid)] = frame = build_frame(snapshot)
        self.answers[f"/tasks/{uid}/"] = (200, frame)

    def _render(self, scene: Scene) -> str:
        request = self.make_request()
        if scene.page == "unavailable":
            html = render_to_string("channels_progress/unavailable.html", {"retry_after_s": 5}, request)
        elif scene.page in staff.PATHS:
            html = staff.render(scene.page)
        elif scene.page == "inbox":
            html = render_to_string("channels_progress/inbox.html", inbox_context(request), request)
        elif scene.page == "my-tasks":
            html = render_to_string("channels_progress/my_tasks_page.html", task_list_context(request), request)
        elif scene.page == "task":
            context = task_context("a", request, heading_level=1, **scene.options)
            html = render_to_string("channels_progress/task.html", context, request)
        else:
            template = engines["django"].from_string(SKELETON.format(content=PAGES[scene.page]))
            context = {"uids": list(scene.lives), "handle": Handle(), **scene.options}
            html = template.render(context, request)
        return html.replace("</head>", f"<style>{self.style}</style></head>")

    def _settle(self, scene: Scene) -> None:
        elements = self.page.locator("task-progress")
        if scene.lives and scene.connection in {"waiting", "closed"}:
            expect(elements).to_have_attribute("connection", "open")
        if scene.connection == "waiting":
            self._lose_connection()
        elif scene.connection == "closed":
            self.say({"type": "refused", "v": 1, "channel": task_channel("a")})
        if scene.page in {"bell", "menu"}:
            self.page.locator(".site summary").click()
        if scene.said:
            self._say(scene)
        for element in self.page.locator("task-progress[token]").all():
            expect(element).to_have_attribute("connection", scene.connection)
        self._draw()

    def _say(self, scene: Scene) -> None:
        expect(self.page.locator("page-messages")).to_have_attribute("connection", "open")
        self.wait_until(lambda: self.heard_of("subscribe"))
        self.say({"type": "progress", "v": 1, "progress": True, "percent": "42%", "channel": OWNER})
        for level, text, more in scene.said:
            self.say({"type": "message", "v": 1, "text": text, "cssClass": level, "channel": OWNER, **more})
        expect(self.page.locator(".page-message")).to_have_count(len(scene.said))
        # They come in, and are said aloud, one after another.
        expect(self.page.locator(".page-messages-announcer[role=status]")).not_to_be_empty()
        self.page.evaluate("() => Promise.all(document.getAnimations().map(({ finished }) => finished))")

    def _lose_connection(self) -> None:
        self.is_socket_open = False
        self.answers = {path: (503, {"error": "unavailable"}) for path in PATHS}
        self.cut()
        expect(self.page.locator("task-progress")).to_have_attribute("connection", "waiting")
        self.page.clock.set_fixed_time((NOW_MS + 3_000) / 1000)
        self.page.locator("task-progress").evaluate("element => element.render()")
        self.page.clock.set_fixed_time(NOW_MS / 1000)

    def _draw(self) -> None:
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def _answer(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path == "/favicon.ico":
            route.fulfill(status=204)
        elif path.startswith("/static/admin/") and (file := finders.find(path.removeprefix("/static/"))):
            route.fulfill(path=file)
        else:
            super()._answer(route)


@contextmanager
def _site(scene: Scene) -> Iterator[None]:
    """The settings of the scene's site, and the language of the person on it."""
    rtl.teach()
    store = AWAY if scene.page == "unknown" else "tests.gallery.lives.StandingStore"
    settings = override_settings(**{SETTING: {"STORE": store}}, ALLOWED_HOSTS=["*"])
    with settings, keep(scene.kept), timezone.override("UTC"), translation.override(scene.language):
        yield
