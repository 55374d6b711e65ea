"""Turbo around tasks: visits, its copies of pages, frames, streams and page refreshes."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from channels_progress.records import TaskState
from tests.js.stage import ORIGIN, Stage, make_record, render_assets
from tests.js.test_element import RECORD_EVENTS, events
from tests.js.test_rewriting import WATCH_PERCENT, shown_in_turn
from tests.live.documents import read_chapters
from tests.tooling import ROOT

pytestmark = pytest.mark.browser

TURBO = "@hotwired/turbo/dist/turbo.es2017-umd.js"
HEAD = '<script src="/npm/turbo.js" defer></script>'
REFRESH = '<meta name="turbo-refresh-method" content="morph"><meta name="turbo-refresh-scroll" content="preserve">'

REFRESH_NOW = """new Promise((done) => {
    addEventListener("turbo:morph", () => done(), { once: true });
    Turbo.session.refresh(location.href);
})"""


@pytest.fixture
def turbo(stage: Stage, npm_packages: Path) -> Stage:
    """A stage that serves Turbo, a page with a task, and another page."""
    stage.served["/npm/turbo.js"] = (npm_packages / TURBO).read_text()
    stage.served["/other/"] = stage.build_page('<h1>Other</h1><a href="/page/">Back to it</a>', head=HEAD)
    stage.page.add_init_script(RECORD_EVENTS)
    return stage


def open_page(stage: Stage, main: str = "", *, head: str = "", **options: bool) -> None:
    """The page as it was when the task had not begun; any further request brings the same."""
    main = main or stage.render("a", **options)
    stage.served["/page/"] = stage.build_page(f'{main}<a href="/other/">Away</a>', head=HEAD + head)
    stage.page.goto(f"{ORIGIN}/page/")
    expect(stage.task()).to_have_attribute("connection", "open")


def show_half(stage: Stage) -> None:
    stage.hint(make_record(seq=5, body={"fraction": 0.5}))
    expect(stage.hook("percent")).to_have_text("50%")


def go(stage: Stage, link: str) -> None:
    stage.page.get_by_role("link", name=link).click()


def test_a_visit_takes_the_task_along_or_leaves_it(turbo: Stage) -> None:
    open_page(turbo)
    show_half(turbo)
    turbo.page.evaluate("window.isSameDocument = true")
    go(turbo, "Away")
    expect(turbo.page.get_by_role("heading", name="Other")).to_be_visible()
    turbo.wait_until(lambda: turbo.heard_of("unsubscribe"))
    go(turbo, "Back to it")
    expect(turbo.task()).to_have_attribute("connection", "open")
    turbo.hint(make_record(seq=6, body={"fraction": 0.6}))
    expect(turbo.hook("percent")).to_have_text("60%")
    subscriptions = len(turbo.heard_of("subscribe")) - len(turbo.heard_of("unsubscribe"))
    assert (subscriptions, turbo.page.evaluate("isSameDocument")) == (1, True)


def test_one_socket_serves_page_after_page(turbo: Stage) -> None:
    turbo.served["/other/"] = turbo.build_page(turbo.render("b") + '<a href="/page/">Back to it</a>', head=HEAD)
    open_page(turbo)
    for link, uid in [("Away", "b"), ("Back to it", "a"), ("Away", "b")]:
        go(turbo, link)
        expect(turbo.task(uid)).to_have_attribute("connection", "open")
        expect(turbo.page.locator("task-progress")).to_have_count(1)
    assert len(turbo.sockets) == 1


def test_a_page_from_the_cache_never_goes_back_and_catches_up(turbo: Stage) -> None:
    open_page(turbo)
    show_half(turbo)
    go(turbo, "Away")
    expect(turbo.page.get_by_role("heading", name="Other")).to_be_visible()
    turbo.page.evaluate(WATCH_PERCENT)
    turbo.set_reading(make_record(seq=8, body={"fraction": 0.8}))
    turbo.page.go_back()
    assert [text for text in shown_in_turn(turbo, "80%") if text is not None] == ["50%", "80%"]


def test_a_preview_neither_connects_nor_leads_away(turbo: Stage) -> None:
    open_page(turbo)
    show_half(turbo)
    go(turbo, "Away")
    expect(turbo.page.get_by_role("heading", name="Other")).to_be_visible()
    turbo.set_reading(make_record(seq=8, state=TaskState.SUCCESS, body={"redirect": "/cities/"}))
    asked = len(turbo.heard_of("subscribe"))
    routes: list[Route] = []
    turbo.page.route(f"{ORIGIN}/page/", lambda route: routes.append(route))
    go(turbo, "Back to it")
    expect(turbo.page.locator("html[data-turbo-preview] task-progress")).to_have_attribute("state", "PROGRESS")
    turbo.wait_until(lambda: routes)
    routes[0].fulfill(body=turbo.build_page(turbo.render("b"), head=HEAD), content_type="text/html")
    expect(turbo.task("b")).to_have_attribute("connection", "open")
    assert [frame["channel"] for frame in turbo.heard_of("subscribe")[asked:]] == ["task:b"]
    assert (turbo.page.url, events(turbo)) == (f"{ORIGIN}/page/", [])


def test_a_page_from_the_cache_does_not_tell_the_end_again(turbo: Stage) -> None:
    open_page(turbo, redirect=False)
    turbo.hint(make_record(seq=5, state=TaskState.SUCCESS, body={"redirect": "/cities/"}))
    expect(turbo.hook("link")).to_be_visible()
    for _ in range(2):
        go(turbo, "Away")
        expect(turbo.page.get_by_role("heading", name="Other")).to_be_visible()
        turbo.page.go_back()
        expect(turbo.task()).to_have_attribute("connection", "open")
        expect(turbo.hook("link")).to_be_visible()
    assert [event["name"] for event in events(turbo)] == ["done"]


def test_a_redirect_is_followed_once_and_leaves_no_page_to_come_back_to(turbo: Stage) -> None:
    turbo.page.goto(f"{ORIGIN}/other/")
    open_page(turbo)
    turbo.hint(make_record(seq=5, state=TaskState.SUCCESS, body={"redirect": "/cities/"}))
    turbo.page.wait_for_url(f"{ORIGIN}/cities/")
    turbo.page.go_back()
    expect(turbo.page.get_by_role("heading", name="Other")).to_be_visible()
    assert turbo.page.url == f"{ORIGIN}/other/"


def test_the_documented_visit_takes_the_place_of_the_redirect(turbo: Stage) -> None:
    block = next(block for block in read_chapters(ROOT / "docs" / "front-ends.md")["Turbo"] if block.language == "js")
    turbo.served["/visit.js"] = block.text
    turbo.page.goto(f"{ORIGIN}/other/")
    open_page(turbo, head='<script type="module" src="/visit.js"></script>')
    turbo.page.evaluate("window.isSameDocument = true")
    turbo.served["/cities/"] = turbo.build_page("<h1>Cities</h1>", head=HEAD)
    turbo.hint(make_record(seq=5, state=TaskState.SUCCESS, body={"redirect": "/cities/"}))
    expect(turbo.page.get_by_role("heading", name="Cities")).to_be_visible()
    assert turbo.page.evaluate("isSameDocument")
    turbo.page.go_back()
    expect(turbo.page.get_by_role("heading", name="Other")).to_be_visible()


def test_a_page_refresh_by_morphing_keeps_the_live_element(turbo: Stage) -> None:
    open_page(turbo, head=REFRESH)
    show_half(turbo)
    turbo.page.evaluate(WATCH_PERCENT)
    turbo.task().evaluate("element => window.first = element")
    turbo.page.evaluate(REFRESH_NOW)
    turbo.hint(make_record(seq=6, body={"fraction": 0.6}))
    assert shown_in_turn(turbo, "60%") == ["50%", "60%"]
    assert turbo.page.evaluate("first === document.querySelector('task-progress')")
    assert (len(turbo.heard_of("subscribe")), turbo.heard_of("unsubscribe"), len(turbo.sockets)) == (1, [], 1)


def test_frames_and_streams_bring_and_take_tasks(turbo: Stage) -> None:
    frame = '<turbo-frame id="box">{}</turbo-frame>'
    turbo.served["/frame/"] = frame.format(render_assets() + turbo.render("b"))
    stream = '<turbo-stream action="{}" target="{}"><template>{}</template></turbo-stream>'
    open_page(turbo, turbo.render("a") + frame.format('<a href="/frame/">Open</a>') + '<div id="list"></div>')
    go(turbo, "Open")
    expect(turbo.task("b")).to_have_attribute("connection", "open")
    appended = stream.format("append", "list", render_assets() + turbo.render("c"))
    turbo.page.evaluate("html => Turbo.renderStreamMessage(html)", appended)
    expect(turbo.task("c")).to_have_attribute("connection", "open")
    turbo.page.evaluate("html => Turbo.renderStreamMessage(html)", stream.format("update", "list", ""))
    turbo.wait_until(lambda: turbo.heard_of("unsubscribe"))
    assert turbo.heard_of("unsubscribe") == [{"type": "unsubscribe", "channel": "task:c"}]
    assert len(turbo.sockets) == 1
