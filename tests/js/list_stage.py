"""A page with the list of Ada's tasks in a real browser: real views behind ``fetch``, the test behind the socket."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.urls import resolve
from playwright.sync_api import Locator, Page, Route

from channels_progress.events import encode_json, list_channel, task_channel
from channels_progress.mine import my_tasks_context
from channels_progress.own_tasks import list_frames
from channels_progress.pages import build_frame
from channels_progress.records import Stamp, TaskState
from channels_progress.store import get_store
from channels_progress.viewers import Viewer
from tests.js.stage import ADA, ORIGIN, OWNER, Stage

LIST_CHANNEL = list_channel(OWNER)


class ListStage(Stage):
    """The site that ``page`` visits.

    Attributes:
        fetched: (method, path with query, form fields as text) of what the page asked for.
        is_away: Requests for the list get no answer but 503.
    """

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.fetched: list[tuple[str, str, str]] = []
        self.is_away = False
        page.route("**/tasks/**", self._serve)

    def render_menu(self, **options: Any) -> str:
        """The tag, as a view would render it."""
        self.tell_all()
        return render_to_string("channels_progress/my_tasks.html", my_tasks_context(self.make_request(), **options))

    def visit_menu(self, *uids: str, **options: Any) -> None:
        """Open a page with the tag, and these tasks as elements of their own."""
        self.visit(*uids, path="/start/")
        menu = self.render_menu(**options)
        self.html = self.html.replace("<main>", f"<header>{menu}</header><main>")
        self.page.goto(f"{ORIGIN}/page/")

    def visit_list(self, query: str = "") -> None:
        """Open the list page."""
        self.tell_all()
        self.page.goto(f"{ORIGIN}/tasks/{query}")

    def tell_all(self) -> None:
        """What the server knows now is what its sockets answer from now on."""
        (self.readings[LIST_CHANNEL],) = list_frames(Viewer(ADA))
        for record in get_store().list_for(OWNER).records:
            self.tell(record.uid)

    def tell(self, uid: str) -> dict[str, Any]:
        """The frame of this task, told to whoever subscribes."""
        snapshot = get_store().read(uid)
        assert snapshot
        frame = self.readings[task_channel(uid)] = build_frame(snapshot)
        return frame

    def announce(self, *uids: str) -> None:
        """The server sends hints: of these tasks, and of the list."""
        self.tell_all()
        for uid in uids:
            self.say(self.tell(uid))
        self.say(self.readings[LIST_CHANNEL])

    def row(self, uid: str, group: str | None = None) -> Locator:
        """A row of the list, wherever it stands or in this group."""
        inside = f'[data-group="{group}"] ' if group else ""
        return self.page.locator(f'my-tasks {inside}[data-uid="{uid}"]')

    def posts(self) -> list[str]:
        """Form fields of what was marked."""
        return [fields for method, _, fields in self.fetched if method == "POST"]

    def row_fetches(self) -> int:
        """How often the rows were fetched."""
        return sum(method == "GET" and path.startswith("/tasks/mine/") for method, path, _ in self.fetched)

    def _serve(self, route: Route) -> None:
        sent = route.request
        parts = urlsplit(sent.url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        if sent.resource_type == "fetch":
            self.fetched.append((sent.method, path, sent.post_data or ""))
        if self.is_away:
            route.fulfill(status=503, body="")
            return
        request: Any = RequestFactory().generic(
            sent.method, path, sent.post_data or "", sent.headers.get("content-type", ""), headers=sent.headers
        )
        request.user, request.session, request._dont_enforce_csrf_checks = ADA, SessionStore(), True
        match = resolve(parts.path)
        response = match.func(request, *match.args, **match.kwargs)
        route.fulfill(status=response.status_code, body=response.content, headers=dict(response.headers))


def start(uid: str, state: TaskState = TaskState.PROGRESS, **body: Any) -> None:
    """Ada starts a task, which comes as far as this state."""
    text = encode_json({"title": f"Import {uid}", **body})
    get_store().create(uid, owner=OWNER, body=text)
    if state == TaskState.PENDING:
        return
    begun = get_store().begin(uid, delivery="d", owner=OWNER, body=text)
    get_store().write(Stamp(uid, begun.epoch, begun.attempt), body=text)
    if state != TaskState.PROGRESS:
        end(uid, state)


def end(uid: str, state: TaskState = TaskState.SUCCESS, **options: Any) -> None:
    """A task ends."""
    get_store().finish(uid, state, delivery="d", **options)
