"""The plugins, with the libraries they are for, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.js.stage import Stage
from tests.js.test_page_messages import report, say, visit

pytestmark = pytest.mark.browser

POLICY = "default-src 'self'; connect-src 'self' ws:; worker-src 'self' blob:"
STATIC = "/static/channels_progress"
#: Once whoever waits for sound to be allowed has been told.
SOUND = "Tone.start().then(() => new Promise((resolve) => setTimeout(resolve)))"
SPY = "window.notes = []; Tone.PolySynth.prototype.triggerAttackRelease = (note) => notes.push(note);"


def visit_with(stage: Stage, packages: Path, library: str, plugin: str, start: str, *, is_first: bool = False) -> None:
    """A page with this library and this plugin, which comes before the client or after it."""
    stage.served["/library.js"] = (packages / library).read_text()
    stage.served["/start.js"] = f'import {{ {plugin} }} from "{STATIC}/{plugin_file(plugin)}";\n{start}'
    head = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><script src="/library.js"></script>'
    script = '<script type="module" src="/start.js"></script>'
    if is_first:
        visit(stage, head=head + script)
    else:
        visit(stage, head=head)
        stage.page.add_script_tag(url="/start.js", type="module")


def plugin_file(plugin: str) -> str:
    return {"useToastify": "toastify.js", "enableChime": "chime.js"}[plugin]


@pytest.fixture(params=[True, False], ids=["before the client", "after the client"])
def toasts(stage: Stage, npm_packages: Path, request: pytest.FixtureRequest) -> Stage:
    start = 'useToastify({ duration: 0, gravity: "bottom", position: "left", classMap: { info: "rgb(1, 2, 3)" } });'
    library = "toastify-js/src/toastify.js"
    visit_with(stage, npm_packages, library, "useToastify", start, is_first=request.param)
    return stage


def test_messages_are_toasts_and_nothing_else_is(toasts: Stage) -> None:
    say(toasts, "<b>Hello</b>", hideCloseOption=True)
    toast = toasts.page.locator(".toastify")
    expect(toast).to_have_text("<b>Hello</b>")
    expect(toast).to_have_class("toastify on toastify-left toastify-bottom info")
    assert toast.evaluate("toast => toast.style.background") == "rgb(1, 2, 3)"
    assert toasts.page.locator(".toast-close, .page-message").count() == 0
    report(toasts, "42%")
    expect(toasts.page.locator(".page-messages-bar")).to_have_attribute("value", "42")
    toasts.say({"type": "redirect", "v": 1, "url": "/elsewhere/", "channel": "audience:all"})
    toasts.page.wait_for_url("**/elsewhere/")


def test_a_toast_leads_where_the_message_says(stage: Stage, npm_packages: Path) -> None:
    visit_with(stage, npm_packages, "toastify-js/src/toastify.js", "useToastify", "useToastify({ duration: 0 });")
    say(stage, "Nowhere", "error", clickURL="https://evil.test/")
    say(stage, "Cities", "success", clickURL="/cities/")
    expect(stage.page.locator(".toastify a")).to_have_text(["Cities"])
    stage.page.locator(".toastify", has_text="Cities").click(position={"x": 3, "y": 3})
    stage.page.wait_for_url("**/cities/")


def test_closing_a_toast_tells_the_server_where_the_message_says_so(stage: Stage, npm_packages: Path) -> None:
    stage.answers["/closed/"] = (200, {})
    visit_with(stage, npm_packages, "toastify-js/src/toastify.js", "useToastify", "useToastify({ duration: 0 });")
    say(stage, "Hello", closeURL="/closed/")
    stage.page.locator(".toast-close").click()
    expect(stage.page.locator(".toastify")).to_have_count(0)
    stage.wait_until(lambda: stage.requests)
    assert [(method, path) for method, path, *_ in stage.requests] == [("POST", "/closed/")]


def test_without_toastify_messages_are_shown_as_usual(stage: Stage, npm_packages: Path) -> None:
    visit_with(stage, npm_packages, "mustache/mustache.js", "useToastify", "useToastify();")
    say(stage, "Hello", "warning")
    expect(stage.page.locator(".page-message")).to_have_text(["Warning: Hello×"])


def notes(stage: Stage) -> Any:
    return stage.page.evaluate("notes")


@pytest.mark.parametrize("is_first", [True, False], ids=["before the client", "after the client"])
def test_a_message_is_heard_after_the_first_gesture(stage: Stage, npm_packages: Path, is_first: bool) -> None:
    start = f"{SPY} enableChime(); enableChime();"
    visit_with(stage, npm_packages, "tone/build/Tone.js", "enableChime", start, is_first=is_first)
    stage.wait_until(lambda: stage.page.evaluate("'notes' in window"))
    say(stage, "Before")
    expect(stage.page.locator(".page-message")).to_have_count(1)
    assert notes(stage) == []
    stage.page.get_by_role("heading").click()
    stage.page.evaluate(SOUND)
    say(stage, "Silent", sound=False)
    expect(stage.page.locator(".page-message")).to_have_count(2)
    assert notes(stage) == []
    # Two in one breath are one chime.
    stage.page.evaluate("for (const text of ['One', 'Two']) channelsProgress.init().addMessage({ text })")
    assert notes(stage) == ["C5", "E5", "G5", "C6"]


def test_what_is_prevented_is_not_heard(stage: Stage, npm_packages: Path) -> None:
    start = (
        f"{SPY} enableChime(); document.addEventListener('page-messages:message', (event) => event.preventDefault());"
    )
    visit_with(stage, npm_packages, "tone/build/Tone.js", "enableChime", start, is_first=True)
    stage.page.get_by_role("heading").click()
    stage.page.evaluate(SOUND)
    say(stage, "Hello")
    report(stage, "42%")
    expect(stage.page.locator(".page-messages-bar")).to_have_attribute("value", "42")
    assert notes(stage) == []
