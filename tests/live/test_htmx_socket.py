"""Pages of htmx's own WebSocket extensions, connected to our server: they hear HTML, bare."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.live import visiting
from tests.live.rig import Rig
from tests.live.visiting import Visit, Visitor
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("reference")
running, rig, visit = visiting.running, visiting.rig, visiting.visit

CHANNELS = quote('["articles.article-42"]')
SOCKET = f"/asgi/notifications/?format=html&amp;extraChannels={CHANNELS}"
# Indicators of htmx have a style sheet of their own, which the policy refuses.
CONFIG = """<meta name="htmx-config" content='{"includeIndicatorStyles": false, "includeIndicatorCSS": false}'>"""
PLACES = '<p id="status">…</p><ul id="list"></ul><output id="answer"></output>'
VERSIONS = {
    2: (["htmx2/dist/htmx.js", "htmx-ext-ws/ws.js"], f'<div hx-ext="ws" ws-connect="{SOCKET}"></div>'),
    4: (
        ["htmx.org/dist/htmx.js", "htmx.org/dist/ext/hx-ws.js"],
        f'<div hx-ws:connect="{SOCKET}" hx-swap="none"></div>',
    ),
}
TEMPLATES = {
    "status.html": '<p id="status" hx-swap-oob="true">{{ text }} <button hx-get="answer.html" hx-target="#answer">Ask'
    "</button></p>",
    "row.html": '<ul id="list" hx-swap-oob="beforeend"><li>{{ text }}</li></ul>',
}


@pytest.fixture(params=VERSIONS, ids=["htmx 2", "htmx 4"])
def open_page(request: pytest.FixtureRequest, npm_packages: Path, rig: Rig) -> Page:
    """A page of this version, connected."""
    folder = rig.folder / "templates"
    folder.mkdir(exist_ok=True)
    for name, text in TEMPLATES.items():
        (folder / name).write_text(text)
    visitor: Visitor = request.getfixturevalue("visit")("alice")
    names, element = VERSIONS[request.param]
    files: dict[str, Path | str] = {Path(name).name: npm_packages / name for name in names}
    tags = "".join(f'<script src="{name}"></script>' for name in files)
    page = visitor.open(CONFIG + tags + PLACES + element, {**files, "answer.html": "The answer"})
    # Nobody tells such a page that the server has let it join.
    wait_until(lambda: is_heard(visitor, page))
    return page


def is_heard(visitor: Visitor, page: Page) -> bool:
    visitor.say(("send_html_to_user", ["alice", "status.html", {"text": "Connected"}], {}))
    return page.get_by_text("Connected").count() > 0


def test_html_is_swapped_and_comes_alive(open_page: Page, visit: Visit) -> None:
    page, sender = open_page, visit("bob")
    sender.say(
        ("send_to_all", ["No HTML"], {}),
        ("send_html_to_all", ["row.html", {"text": "<b>One</b>"}], {}),
        ("progress_channel", ["articles.article-42", 50], {}),
        ("send_html_to_channel", ["articles.article-42", "row.html", {"text": "Two"}], {}),
        ("send_html_to_channel", ["secrets.secret-1", "row.html", {"text": "Three"}], {}),
        ("send_html_to_authenticated", ["status.html", {"text": "Done"}], {}),
    )
    expect(page.locator("#status")).to_contain_text("Done")
    expect(page.locator("#list li")).to_have_text(["<b>One</b>", "Two"])
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#answer")).to_have_text("The answer")
    assert "No HTML" not in page.content()
