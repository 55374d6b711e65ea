"""htmx around tasks: its swaps, its morphing, its history; version 2 and version 4."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import expect

from channels_progress.records import TaskState
from tests.js.stage import ORIGIN, Stage, make_record, render_assets
from tests.js.test_element import RECORD_EVENTS, events
from tests.js.test_rewriting import WATCH_PERCENT, shown_in_turn

pytestmark = pytest.mark.browser

FILES = {2: ["htmx2/dist/htmx.js", "idiomorph/dist/idiomorph-ext.js"], 4: ["htmx.org/dist/htmx.js"]}


@pytest.fixture(params=[2, 4], ids=["htmx 2", "htmx 4"])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def htmx(stage: Stage, version: int, npm_packages: Path) -> Stage:
    """A stage that serves htmx."""
    for name in FILES[version]:
        stage.served[f"/npm/{name}"] = (npm_packages / name).read_text()
    stage.page.add_init_script(RECORD_EVENTS)
    return stage


def visit(stage: Stage, version: int, main: str) -> None:
    scripts = "".join(f'<script src="/npm/{name}" defer></script>' for name in FILES[version])
    stage.html = stage.build_page(f'<div hx-ext="morph">{main}</div>', head=scripts)
    stage.served["/page/"] = stage.html
    stage.page.goto(f"{ORIGIN}/page/")


def button(path: str, **attributes: str) -> str:
    extra = "".join(f' hx-{name}="{value}"' for name, value in attributes.items())
    return f'<button hx-get="{path}" hx-target="#place"{extra}>Go</button>'


def press(stage: Stage) -> None:
    stage.page.get_by_role("button", name="Go").click()


def partial(stage: Stage, uid: str = "a") -> str:
    """What ``{% task_progress %}`` puts into a response of its own: its assets too."""
    return render_assets() + stage.render(uid)


def test_an_event_triggers_a_request(htmx: Stage, version: int) -> None:
    htmx.served["/result/"] = "32,000 cities"
    result = '<div id="place" hx-get="/result/" hx-trigger="task-progress:done from:body">…</div>'
    visit(htmx, version, htmx.render("a", redirect=False) + result)
    expect(htmx.task()).to_have_attribute("connection", "open")
    htmx.hint(make_record(seq=2))
    expect(htmx.task()).to_have_attribute("state", "PROGRESS")
    assert htmx.page.locator("#place").text_content() == "…"
    htmx.hint(make_record(seq=3, state=TaskState.SUCCESS))
    expect(htmx.page.locator("#place")).to_have_text("32,000 cities")


def test_a_task_swapped_in_connects_and_one_swapped_out_leaves(htmx: Stage, version: int) -> None:
    htmx.served |= {"/start/": partial(htmx), "/other/": "<p>Nothing</p>"}
    visit(htmx, version, button("/start/") + '<div id="place"></div>')
    press(htmx)
    expect(htmx.task()).to_have_attribute("connection", "open")
    htmx.hint(make_record(seq=2, body={"fraction": 0.5}))
    expect(htmx.hook("percent")).to_have_text("50%")
    htmx.served["/start/"] = "<p>Nothing</p>"
    press(htmx)
    htmx.wait_until(lambda: htmx.heard_of("unsubscribe"))
    assert htmx.heard_of("unsubscribe") == [{"type": "unsubscribe", "channel": "task:a"}]
    # The socket closes when nobody has wanted it for a while, and nothing of the task is left running.
    htmx.wait_until(lambda: htmx.closed)


def test_assets_that_arrive_again_change_nothing(htmx: Stage, version: int) -> None:
    times = count(1)
    htmx.served["/start/"] = lambda: f"{partial(htmx)}<output>{next(times)}</output>"
    visit(htmx, version, button("/start/") + '<div id="place"></div>')
    module_loads = "performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.js')).length"
    before = htmx.page.evaluate(module_loads)
    for time in ("1", "2", "3"):
        press(htmx)
        # What is open may be the one before; and markup that comes after a hint is newer than the hint.
        expect(htmx.page.locator("output")).to_have_text(time)
        expect(htmx.task()).to_have_attribute("connection", "open")
    htmx.hint(make_record(seq=2, body={"fraction": 0.5}))
    expect(htmx.hook("percent")).to_have_text("50%")
    assert (len(htmx.sockets), htmx.page.evaluate(module_loads)) == (1, before)
    assert htmx.page.evaluate("getComputedStyle(document.querySelector('task-progress')).display") != "inline"


@pytest.mark.parametrize("method", ["outerHTML", "innerHTML", "morph"])
def test_a_live_task_swapped_for_itself_keeps_what_it_shows(htmx: Stage, version: int, method: str) -> None:
    swap = {(2, "morph"): "morph:innerHTML", (4, "morph"): "innerMorph"}.get((version, method), method)
    markup = htmx.render("a")
    htmx.served["/again/"] = f'<div id="place">{markup}</div>' if method == "outerHTML" else markup
    visit(htmx, version, button("/again/", swap=swap) + f'<div id="place">{markup}</div>')
    expect(htmx.task()).to_have_attribute("connection", "open")
    htmx.hint(make_record(seq=5, body={"fraction": 0.5}))
    expect(htmx.hook("percent")).to_have_text("50%")
    htmx.page.evaluate(WATCH_PERCENT)
    htmx.task().evaluate("element => window.first = element")
    with htmx.page.expect_response("**/again/"):
        press(htmx)
    # Swapping takes a moment, in which only what htmx itself does to the page could be waited for.
    htmx.wait_until(lambda: htmx.page.evaluate("(kept) => kept || !first.isConnected", method == "morph"))
    htmx.hint(make_record(seq=6, body={"fraction": 0.6}))
    assert shown_in_turn(htmx, "60%") == ["50%", "60%"]
    assert htmx.page.evaluate("first.isConnected") == (method == "morph")
    assert len(htmx.heard_of("subscribe")) - len(htmx.heard_of("unsubscribe")) == 1
    assert len(htmx.sockets) == 1


def test_the_back_button_shows_the_task_again_and_tells_its_end_once(htmx: Stage, version: int) -> None:
    htmx.served["/elsewhere/"] = htmx.build_page("<p>Elsewhere</p>")
    link = '<a hx-get="/elsewhere/" hx-target="#place" hx-push-url="true">Away</a>'
    visit(htmx, version, f'<div id="place">{htmx.render("a", redirect=False)}</div>{link}')
    expect(htmx.task()).to_have_attribute("connection", "open")
    htmx.hint(make_record(seq=2, state=TaskState.SUCCESS))
    expect(htmx.task()).to_have_attribute("state", "SUCCESS")
    htmx.page.get_by_text("Away").click()
    htmx.page.wait_for_url("**/elsewhere/")
    expect(htmx.task()).to_have_count(0)
    htmx.page.go_back()
    expect(htmx.task()).to_have_attribute("connection", "open")
    assert htmx.task().get_attribute("state") == "SUCCESS"
    assert [event["name"] for event in events(htmx)] == ["done"]
