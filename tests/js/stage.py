"""A page with tasks in a real browser, rendered by the real templates; the test plays the server behind it."""

from __future__ import annotations

import json
import mimetypes
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.contrib.auth.models import User
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.template.loader import render_to_string
from django.test import RequestFactory
from playwright.sync_api import Locator, Page, Route, WebSocketRoute

from channels_progress.events import task_channel, task_frame
from channels_progress.pages import assets_context, task_context
from channels_progress.records import RUNNING_STATES, Liveness, Message, Snapshot, TaskRecord, TaskState
from channels_progress.store import get_store
from tests.waiting import wait_until

STATIC = Path(__file__).resolve().parents[2] / "channels_progress" / "static"
HOST = "progress.test"
ORIGIN = f"http://{HOST}"
ADA = User(pk=7, username="ada")
OWNER = "user:7"


def now_ms() -> int:
    return int(time.time() * 1000)


def make_record(uid: str = "a", state: TaskState = TaskState.PROGRESS, **changes: Any) -> TaskRecord:
    """A record of epoch ``e1`` that began 12 seconds ago."""
    record = TaskRecord(
        uid=uid, epoch="e1", attempt=1, seq=1, state=state, body={}, owner=OWNER, began_at=now_ms() - 12_000
    )
    return replace(record, **changes)


def render_assets() -> str:
    return render_to_string("channels_progress/assets.html", assets_context())


class Stage:
    """The site that ``page`` visits.

    Attributes:
        requests: (method, path, headers, fields) of what the client's ``fetch`` sent.
        heard: The frames that the client sent over sockets.
        answers: What requests get, by path: (status, JSON data).
        is_socket_open: False refuses sockets.
        now: The server's clock, UTC milliseconds.
        audiences: The channels of whoever asks for their audiences.
        served: More files and pages, by path: their text, or a function that makes it at each request.
    """

    now: Callable[[], int] = staticmethod(now_ms)

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[tuple[str, str, dict[str, str], dict[str, list[str]]]] = []
        self.heard: list[dict[str, Any]] = []
        self.answers: dict[str, tuple[int, Any]] = {}
        self.is_socket_open = True
        self.served: dict[str, str | Callable[[], str]] = {}
        self.sockets: list[WebSocketRoute] = []
        self.closed: list[WebSocketRoute] = []
        self.readings: dict[str, dict[str, Any]] = {}
        self.audiences = ["audience:all", "audience:authenticated", OWNER]
        self.html = ""
        page.route("**/*", self._answer)
        page.route_web_socket("**/*", self._open_socket)

    def render(self, *uids: str, language: str = "en", direction: str = "ltr", **options: Any) -> str:
        """The elements of waiting tasks, as a view would render them."""
        elements = []
        for uid in uids:
            if get_store().read(uid) is None:
                get_store().create(uid, owner=OWNER, body=json.dumps({"title": "Import cities"}))
            self.readings.setdefault(task_channel(uid), {})
            context = task_context(uid, self.make_request(), **options)
            assert context is not None
            elements.append(render_to_string("channels_progress/task_progress.html", context))
        return "\n".join(elements)

    def visit(self, *uids: str, direction: str = "ltr", path: str = "/page/", **options: Any) -> None:
        """Open a page with these tasks."""
        self.html = self.build_page(self.render(*uids, **options), direction=direction)
        self.page.goto(ORIGIN + path)

    def build_page(self, main: str, *, head: str = "", direction: str = "ltr") -> str:
        """A page with the assets and this content."""
        return (
            f'<!doctype html><html lang="en" dir="{direction}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<meta name="color-scheme" content="light dark"><title>Tasks</title>{render_assets()}{head}</head>'
            f'<body class="task-progress-page"><main>{main}</main></body></html>'
        )

    def task(self, uid: str = "a") -> Locator:
        return self.page.locator(f'task-progress[channel="{task_channel(uid)}"]')

    def hook(self, name: str, uid: str = "a") -> Locator:
        return self.task(uid).locator(f'[data-progress="{name}"]')

    def set_reading(
        self,
        record: TaskRecord,
        *,
        messages: Sequence[Message] = (),
        liveness: Liveness | None = None,
        recovered: bool = True,
    ) -> dict[str, Any]:
        """What the server answers from now on to whoever subscribes to this task, or asks by HTTP."""
        if liveness is None and record.state in RUNNING_STATES:
            liveness = Liveness.LIVE
        frame = task_frame(Snapshot(record, tuple(messages), recovered, self.now()), liveness)
        self.readings[task_channel(record.uid)] = frame
        return frame

    def show(self, record: TaskRecord, **options: Any) -> None:
        """The server sends a reading of its own accord, as after a resync."""
        self._send_reading(self.sockets[-1], self.set_reading(record, **options))

    def hint(self, record: TaskRecord, **options: Any) -> None:
        """The server forwards a hint."""
        self.say(self.set_reading(record, **options))

    def say(self, frame: dict[str, Any]) -> None:
        self.sockets[-1].send(json.dumps(frame))

    def cut(self) -> None:
        """Every connection breaks."""
        sockets, self.sockets = self.sockets, []
        for socket in sockets:
            socket.close(code=1012)

    def wait_until(self, condition: Callable[[], object]) -> None:
        """As ``waiting.wait_until``, while the browser goes on: Playwright calls back only inside its own calls."""
        wait_until(lambda: condition() or self.page.wait_for_timeout(10))

    def heard_of(self, kind: str) -> list[dict[str, Any]]:
        return [frame for frame in self.heard if frame["type"] == kind]

    def make_request(self) -> Any:
        request = RequestFactory().get("/page/")
        request.user = ADA
        request.session = SessionStore()
        return request

    def _open_socket(self, socket: WebSocketRoute) -> None:
        if not self.is_socket_open:
            socket.close(code=1013)
            return
        self.sockets.append(socket)
        socket.on_close(lambda code, reason: self.closed.append(socket))
        socket.on_message(lambda text: self._hear(socket, json.loads(text)))

    def _hear(self, socket: WebSocketRoute, frame: dict[str, Any]) -> None:
        self.heard.append(frame)
        if frame["type"] == "ping":
            socket.send('{"type":"pong","v":1}')
        elif frame["type"] == "subscribe" and "channel" not in frame:
            self._grant(socket, frame)
        elif frame["type"] == "subscribe" and (reading := self.readings.get(frame["channel"])) is not None:
            self._send_reading(socket, reading or {"channel": frame["channel"]})
        elif frame["type"] == "subscribe":
            socket.send(json.dumps({"type": "refused", "v": 1, "channel": frame["channel"]}))

    def _grant(self, socket: WebSocketRoute, frame: dict[str, Any]) -> None:
        """What is broadcast is for whoever asks: the audiences, each name, and what the token's text names."""
        named = frame.get("channels") or frame.get("token", "").split()
        for channel in named or self.audiences:
            answer = {"type": "subscribed", "v": 1, "channel": channel, "ref": frame.get("ref")}
            socket.send(json.dumps({key: value for key, value in answer.items() if value is not None}))

    def _send_reading(self, socket: WebSocketRoute, reading: dict[str, Any]) -> None:
        socket.send(json.dumps({"type": "subscribed", "v": 1, "channel": reading["channel"]}))
        if "type" in reading:
            socket.send(json.dumps({**reading, "now": self.now()}))

    def _answer(self, route: Route) -> None:
        request, path = route.request, urlsplit(route.request.url).path
        if path.startswith("/static/"):
            file = STATIC / path.removeprefix("/static/")
            route.fulfill(body=file.read_bytes(), content_type=mimetypes.guess_type(file.name)[0])
        elif (served := self.served.get(path)) is not None:
            body = served if isinstance(served, str) else served()
            route.fulfill(body=body, content_type=mimetypes.guess_type(path)[0] or "text/html")
        elif request.resource_type == "fetch":
            self.requests.append((request.method, path, request.headers, parse_qs(request.post_data or "")))
            # Under load a page polls where nobody has thought of it: what is then said of its task must not matter.
            default = (503, {"error": "unavailable"}) if request.method == "GET" else (404, {"error": "not found"})
            status, data = self.answers.get(path, default)
            route.fulfill(status=status, json=data)
        elif path == "/page/":
            route.fulfill(body=self.html, content_type="text/html; charset=utf-8")
        else:
            route.fulfill(body="<!doctype html><title>Elsewhere</title><h1>Elsewhere</h1>", content_type="text/html")
