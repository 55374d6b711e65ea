"""Two windows side by side, for each audience: one shows what is sent, the other one does not."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import expect

from example_project.site_client import SiteClient
from example_project.stack import Stack
from tests.live.conftest import LogIn, OpenPage
from tests.live.windows import Window
from tests.waiting import wait_until

OpenWindow = Callable[..., Window]
Send = Callable[..., None]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Something to send, and two people: who shows it, on which page, and who does not. An empty name: no login."""

    fields: dict[str, str]
    shows: tuple[str, str, str]
    other: tuple[str, str, str] = field(default=("", "/", "audience:anonymous"))


SHANGHAI, BEIJING = "1796236", "1816670"
WHOLE = {
    "authenticated": Case(fields={}, shows=("ada", "/", "audience:authenticated")),
    "anonymous": Case(fields={}, shows=("", "/", "audience:anonymous"), other=("ada", "/", "user:")),
}
CHOSEN = {
    "user": Case(fields={"username": "ben"}, shows=("ben", "/", "user:"), other=("ada", "/", "user:")),
    "object": Case(
        fields={"city": SHANGHAI},
        shows=("", f"/cities/{SHANGHAI}/", f"cities.city-{SHANGHAI}"),
        other=("ada", f"/cities/{BEIJING}/", f"cities.city-{BEIJING}"),
    ),
    "channel": Case(
        fields={"channel": "news"},
        shows=("", "/broadcasts/channels/news/", "news"),
        other=("ada", "/broadcasts/channels/weather/", "weather"),
    ),
}


@pytest.fixture
def open_window(log_in: LogIn, open_page: OpenPage, stack: Stack) -> OpenWindow:
    """``open_window("ada", path, channel)``: a browser of its own, subscribed to the channel; no name, no login."""

    def open_window(username: str, path: str, channel: str) -> Window:
        window = Window(log_in(username) if username else open_page(stack.url))
        window.visit(path, channel)
        return window

    return open_window


@pytest.fixture
def send(client: SiteClient) -> Send:
    """``send("text", audience="all")``: by the form of the console, from nobody's window."""

    # The form remembers what was sent last.
    plain = {"kind": "message", "level": "warning", "persist": "", "sender": ""}

    def send(text: str = "", **fields: str) -> None:
        answer = client.submit(client.get("/broadcasts/"), "console-form", **{**plain, "text": text, **fields}).text
        assert 'class="answer"' in answer, answer

    return send


def test_everybody_shows_what_is_sent_to_all(open_window: OpenWindow, send: Send) -> None:
    alice, visitor = open_window("ada", "/", "user:"), open_window("", "/cities/", "audience:anonymous")
    send("Back in 5 minutes", audience="all")
    for window in (alice, visitor):
        window.expect_messages("Back in 5 minutes")


@pytest.mark.parametrize("audience", [*WHOLE, *CHOSEN])
def test_the_right_window_shows_a_message_and_the_other_one_does_not(
    open_window: OpenWindow, send: Send, audience: str
) -> None:
    case = (WHOLE | CHOSEN)[audience]
    right, other = open_window(*case.shows), open_window(*case.other)
    send("For you", audience=audience, **case.fields)
    # What came before it would be there by then.
    send("For all", audience="all")
    right.expect_messages("For you", "For all")
    other.expect_messages("For all")


@pytest.mark.parametrize("audience", CHOSEN)
def test_the_right_window_shows_progress_and_is_led_elsewhere(
    open_window: OpenWindow, send: Send, audience: str
) -> None:
    case = CHOSEN[audience]
    right, other = open_window(*case.shows), open_window(*case.other)
    send(audience=audience, kind="progress", percent="42%", **case.fields)
    expect(right.bar).to_have_js_property("value", 42)
    send(audience=audience, kind="redirect", url="/several/", **case.fields)
    right.page.wait_for_url(re.compile("/several/$"))
    send("For all", audience="all")
    other.expect_messages("For all")
    expect(other.bar).to_have_count(0)
    assert other.page.url.endswith(case.other[1])


def test_html_takes_the_place_of_what_has_its_id(open_window: OpenWindow, send: Send) -> None:
    case = CHOSEN["object"]
    window = open_window(*case.shows)
    send("<b>5</b> & more", audience="object", kind="html", **case.fields)
    expect(window.page.locator("#board")).to_have_text("<b>5</b> & more")


def test_what_was_stored_for_a_closed_window_is_shown_once(open_window: OpenWindow, send: Send, stack: Stack) -> None:
    window = open_window("ben", "/", "user:")
    window.page.goto("about:blank")
    send("While you were away", audience="user", username="ben", persist="on")
    window.visit("/several/", "user:")
    window.expect_messages("While you were away")
    wait_until(lambda: find_receipts(stack))
    window.visit("/", "user:")
    send("The next one", audience="user", username="ben")
    window.expect_messages("The next one")


def test_a_stored_redirect_is_followed_once(open_window: OpenWindow, send: Send, stack: Stack) -> None:
    window = open_window("ben", "/", "user:")
    window.page.goto("about:blank")
    send(audience="user", username="ben", kind="redirect", url="/several/", persist="on")
    window.page.goto("/")
    window.page.wait_for_url(re.compile("/several/$"))
    wait_until(lambda: find_receipts(stack))
    window.visit("/cities/", "user:")
    send("For all", audience="all")
    window.expect_messages("For all")
    assert window.page.url.endswith("/cities/")


def find_receipts(stack: Stack) -> list[Any]:
    """Those of what was stored last."""
    newest = "SELECT MAX(id) FROM channels_progress_notification"
    with closing(sqlite3.connect(stack.folder / "db.sqlite3", timeout=30)) as database:
        return database.execute(
            f"SELECT * FROM channels_progress_receipt WHERE notification_id = ({newest})"
        ).fetchall()


def test_the_window_that_sends_leaves_itself_out(open_window: OpenWindow, send: Send) -> None:
    alice, bob = open_window("ada", "/broadcasts/", "user:"), open_window("ben", "/", "user:")
    page = alice.page
    page.get_by_label("Everybody", exact=True).check()
    page.get_by_label("A message").check()
    page.get_by_label("Text").fill("From Alice")
    page.get_by_label("Level").select_option("Warning")
    page.get_by_label("Not on this page").check()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status").filter(has_text="Sent: ")).to_be_visible()
    bob.expect_messages("From Alice")
    send("For all", audience="all")
    alice.expect_messages("For all")


def test_the_console_says_what_is_wrong_where_it_is_wrong(open_window: OpenWindow) -> None:
    page = open_window("ada", "/broadcasts/", "user:").page
    page.get_by_label("One person").check()
    page.get_by_label("A redirect").check()
    page.get_by_label("Lead them to").fill("//evil.test")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_label("Lead them to")).to_be_focused()
    expect(page.get_by_label("Lead them to")).to_have_accessible_description(re.compile("a path of this site"))


def test_a_worker_sends_as_anybody_else(open_window: OpenWindow, send: Send) -> None:
    window = open_window("", "/", "audience:anonymous")
    send("From a worker", audience="all", sender="0")
    window.expect_messages("From a worker")
