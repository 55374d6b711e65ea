"""A page with the bell of Ada's inbox in a browser: real views and a database behind it, the test at its socket."""

from __future__ import annotations

from contextvars import copy_context
from datetime import timedelta
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone
from playwright.sync_api import Locator, Page, Route, WebSocketRoute

from channels_progress.bell import bell_context
from channels_progress.events import encode_json
from channels_progress.models import InboxItem, Notice
from channels_progress.notifications.pages import read_page
from channels_progress.notifications.people import find_owner
from channels_progress.notifications.shapes import describe_page
from tests.js.list_stage import ListStage
from tests.js.stage import ADA, ORIGIN


class BellStage(ListStage):
    """The site that ``page`` visits. Its database is the test's."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        # Playwright calls back in contexts of its own, where Django would open another connection.
        self._context = copy_context()

    def render_bell(self, **options: Any) -> str:
        """The tag, as a view would render it."""
        return render_to_string(
            "channels_progress/notification_bell.html", bell_context(self.make_request(), **options)
        )

    def visit_bell(self, *, main: str = "<p>A page</p>", **options: Any) -> None:
        """Open a page with the tag; returns once it hears of the inbox."""
        html = f"<header>{self.render_bell(**options)}</header>"
        self.html = self.build_page(main).replace("<main>", f"{html}<main>")
        self.page.goto(f"{ORIGIN}/page/")
        self.wait_until(lambda: self.heard_of("inbox"))

    def visit_inbox(self, query: str = "") -> None:
        """Open the page of the inbox."""
        self.page.goto(f"{ORIGIN}/tasks/inbox/{query}")
        self.wait_until(lambda: self.heard_of("inbox"))

    def announce_inbox(self) -> None:
        """The server pushes what has become of the inbox, as to any page that has asked for it."""
        for socket in self.sockets:
            self._tell_inbox(socket)

    def read_inbox(self) -> str:
        """The frame that the server would push now."""
        asked = {name: self.heard_of("inbox")[-1].get(name) for name in ("page", "page_size", "is_read")}
        shown = describe_page(ADA, read_page(ADA, **asked))
        return encode_json({"type": "inbox", "v": 1, **shown})

    def item(self, uid: str) -> Locator:
        """The row of a notification."""
        return self.page.locator(f'notification-bell [data-uid="{uid}"]')

    def fetches(self) -> int:
        """How often the rows were fetched."""
        return sum(path.startswith("/tasks/inbox/rows/") for _, path, _ in self.fetched)

    def _serve(self, route: Route) -> None:
        self._context.copy().run(super()._serve, route)

    def _hear(self, socket: WebSocketRoute, frame: dict[str, Any]) -> None:
        super()._hear(socket, frame)
        if frame["type"] == "inbox" and frame.get("open", True):
            self._context.copy().run(self._tell_inbox, socket)

    def _tell_inbox(self, socket: WebSocketRoute) -> None:
        socket.send(self.read_inbox())


def put(text: str = "Hello", *, is_read: bool = False, level: str = "info", url: str = "") -> str:
    """Put a notification into Ada's inbox; its uid."""
    now = timezone.now()
    times = {"created_at": now, "expires_at": now + timedelta(days=1)}
    notice = Notice.objects.create(space="", text=text, level=level, url=url, **times)
    read_at = now if is_read else None
    item = InboxItem.objects.create(
        owner=find_owner(ADA), user_pk=str(ADA.pk), notice=notice, read_at=read_at, updated_at=now, **times
    )
    return str(item.uid)


def find_state(uid: str) -> tuple[str, bool]:
    """The status, and whether it was read."""
    item = InboxItem.objects.get(uid=uid)
    return item.status, item.read_at is not None
