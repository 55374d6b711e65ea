"""HTML that is broadcast goes into the page: without htmx, with version 2, and with version 4."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.js.stage import Stage
from tests.js.test_page_messages import ALL, visit

pytestmark = pytest.mark.browser

POLICY = "default-src 'self'; connect-src 'self' ws:"
CONFIG = """<meta name="htmx-config" content='{"includeIndicatorStyles": false, "includeIndicatorCSS": false}'>"""
SCRIPTS = {0: "", 2: "htmx2/dist/htmx.js", 4: "htmx.org/dist/htmx.js"}
PLACES = '<p id="status">old</p><ul id="list"><li>1</li></ul><div id="box">old</div><output id="answer"></output>'
HTML = """
    <p id="status">new <button hx-get="/answer/" hx-target="#answer">Ask</button></p>
    <ul id="list" hx-swap-oob="beforeend"><li>2</li></ul>
    <div data-hx-swap-oob="innerHTML:#box"><b>bold</b></div>
    <p id="nowhere">nowhere</p>
"""


@pytest.fixture(params=[0, 2, 4], ids=["no htmx", "htmx 2", "htmx 4"])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def page(stage: Stage, version: int, npm_packages: Path) -> Stage:
    """A page of this version with places for HTML, connected."""
    head = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">{CONFIG}'
    if version:
        stage.served["/htmx.js"] = (npm_packages / SCRIPTS[version]).read_text()
        head += '<script src="/htmx.js"></script>'
    stage.served["/answer/"] = "The answer"
    visit(stage, main=PLACES, head=head)
    return stage


def test_html_goes_where_it_says(page: Stage) -> None:
    page.say({"type": "html", "v": 1, "html": HTML, "channel": ALL})
    expect(page.page.locator("#status")).to_contain_text("new")
    expect(page.page.locator("#list li")).to_have_text(["1", "2"])
    expect(page.page.locator("#box")).to_have_text("bold")
    assert page.page.locator("#status, #nowhere, [hx-swap-oob]").count() == 1
    assert page.page.locator("page-messages").get_attribute("connection") == "open"


def test_new_html_is_alive_where_htmx_is(page: Stage, version: int) -> None:
    page.say({"type": "html", "v": 1, "html": HTML, "channel": ALL})
    page.page.get_by_role("button", name="Ask").click()
    if version:
        expect(page.page.locator("#answer")).to_have_text("The answer")
    else:
        page.say({"type": "html", "v": 1, "html": '<p id="status">newer</p>', "channel": ALL})
        expect(page.page.locator("#status")).to_have_text("newer")
        expect(page.page.locator("#answer")).to_have_text("")


def test_tasks_in_new_html_come_alive(page: Stage) -> None:
    page.say({"type": "html", "v": 1, "html": f'<div id="box">{page.render("a")}</div>', "channel": ALL})
    expect(page.task()).to_have_attribute("connection", "open")
    page.wait_until(lambda: [frame for frame in page.heard_of("subscribe") if frame.get("channel") == "task:a"])
