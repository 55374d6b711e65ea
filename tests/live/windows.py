"""Browser windows that show what is broadcast to them."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Frame, Locator, Page, WebSocket, expect

from tests.waiting import wait_until


class Window:
    """One page, and what its socket has said so far.

    Attributes:
        page: To do anything else with.
        subscribed: The channels that the server has said the document that is open now is subscribed to.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.subscribed: set[str] = set()
        self._documents = 0
        page.on("framenavigated", self._turn_over)
        page.on("websocket", self._watch)

    def visit(self, path: str, channel: str = "audience:all") -> None:
        """Open a page of the site, and return once nothing that is sent to this channel passes it by."""
        self.page.goto(path)
        self.wait_for(channel)

    def wait_for(self, channel: str) -> None:
        """Return once the page is subscribed to this channel, or one that begins so, and to the audience of all."""
        wait_until(lambda: self._hears(channel) and self._hears("audience:all"))

    def expect_messages(self, *texts: str) -> None:
        """These warnings are shown, in this order, and nothing else."""
        shown = [f"Warning: {text}×" for text in texts]
        expect(self.messages).to_have_text(shown)

    @property
    def messages(self) -> Locator:
        return self.page.get_by_role("region", name="Messages").get_by_role("listitem")

    @property
    def bar(self) -> Locator:
        return self.page.get_by_role("progressbar", name="Progress")

    def _hears(self, channel: str) -> bool:
        # Playwright tells of frames only while it is asked something.
        self.page.title()
        return any(name.startswith(channel) for name in self.subscribed)

    def _turn_over(self, frame: Frame) -> None:
        if frame == self.page.main_frame:
            self._documents += 1
            self.subscribed.clear()

    def _watch(self, socket: WebSocket) -> None:
        # What the socket of the document before has heard may be told late.
        number = self._documents
        socket.on("framereceived", lambda text: self._hear(text) if number == self._documents else None)

    def _hear(self, text: str | bytes) -> None:
        frame: dict[str, Any] = json.loads(text)
        if frame["type"] == "subscribed":
            self.subscribed.add(frame["channel"])
