"""``<page-messages>`` in a real browser: what is shown, said aloud, and left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.template import engines
from django.utils import translation
from playwright.sync_api import Locator, expect

from tests.js.stage import ORIGIN, OWNER, Stage

pytestmark = pytest.mark.browser

ALL = "audience:all"
OTHERS = '<h1>Cities</h1><button id="save">Save</button><p>Text of the page.</p>'
TAG = "{% load channels_progress %}{% page_messages "


def render(stage: Stage, options: str = "", **context: Any) -> str:
    template = engines["django"].from_string(f"{TAG}{options} %}}")
    return template.render(context, stage.make_request())


def build(stage: Stage, options: str = "", *, main: str = OTHERS, head: str = "", **context: Any) -> str:
    """A page that has the tag and nothing else of ours."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Cities</title>{head}</head>'
        f"<body><main>{main}</main>{render(stage, options, **context)}</body></html>"
    )


def visit(stage: Stage, options: str = "", **parts: Any) -> None:
    """Open such a page; returns once it is connected."""
    stage.html = build(stage, options, **parts)
    stage.page.goto(f"{ORIGIN}/page/")
    expect(host(stage).first).to_have_attribute("connection", "open")
    stage.wait_until(lambda: stage.heard_of("subscribe"))


def host(stage: Stage) -> Locator:
    return stage.page.locator("page-messages")


def items(stage: Stage) -> Locator:
    return stage.page.locator(".page-message:visible")


def say(stage: Stage, text: str, level: str = "info", **more: Any) -> None:
    frame = {"clickURL": None, "closeURL": None, "hideCloseOption": False, "closeText": "×", "channel": ALL, **more}
    stage.say({"type": "message", "v": 1, "text": text, "cssClass": level, **frame})


def report(stage: Stage, percent: str, channel: str = OWNER) -> None:
    stage.say({"type": "progress", "v": 1, "progress": True, "percent": percent, "channel": channel})


def let_pass(stage: Stage, ms: int) -> None:
    stage.page.clock.run_for(ms)


def hold_clock(stage: Stage) -> None:
    """Time passes only where the test says so, from before the page is opened."""
    stage.page.clock.install()


def test_the_tag_alone_shows_messages(stage: Stage) -> None:
    visit(stage)
    say(stage, "Back in 5 minutes", "warning")
    expect(items(stage)).to_have_text(["Warning: Back in 5 minutes×"])
    expect(items(stage)).to_have_class("page-message warning")
    assert [{**frame, "ref": 0} for frame in stage.heard_of("subscribe")] == [
        {"type": "subscribe", "audiences": True, "ref": 0}
    ]


def test_the_channels_and_the_token_of_the_view_are_heard(stage: Stage) -> None:
    visit(stage, extraChannels=["articles.article-42"], subscription_token="op-1")
    stage.wait_until(lambda: len(stage.heard_of("subscribe")) == 3)
    asked = [{key: value for key, value in frame.items() if key != "ref"} for frame in stage.heard_of("subscribe")]
    assert asked == [
        {"type": "subscribe", "audiences": True},
        {"type": "subscribe", "token": "op-1"},
        {"type": "subscribe", "channels": ["articles.article-42"]},
    ]


def test_a_text_is_never_markup(stage: Stage) -> None:
    visit(stage)
    say(stage, "<img src=x onerror=alert(1)><b>bold</b>", "success<script>")
    expect(items(stage)).to_contain_text("<img src=x onerror=alert(1)><b>bold</b>")
    assert host(stage).locator("img, b, script").count() == 0


def test_each_level_has_its_class(stage: Stage) -> None:
    visit(stage)
    for level in ("debug", "info", "success", "warning", "error"):
        say(stage, level, level)
    expect(items(stage)).to_have_count(5)
    levels = items(stage).evaluate_all("items => items.map(({ className, dataset }) => [className, dataset.level])")
    assert levels == [[f"page-message {level}", level] for level in ("debug", "info", "success", "warning", "error")]


def test_messages_are_said_politely_and_errors_at_once(stage: Stage) -> None:
    visit(stage)
    say(stage, "Saved 3 cities")
    say(stage, "No space left", "error")
    expect(stage.page.get_by_role("status")).to_have_text("Saved 3 cities")
    expect(stage.page.get_by_role("alert")).to_have_text("Error: No space left")


def test_of_a_burst_only_the_first_few_are_said(stage: Stage) -> None:
    visit(stage)
    stage.page.evaluate("""import("/static/channels_progress/channels_progress.js").then(({ init }) => {
        const page = init();
        for (let number = 1; number <= 40; number += 1) page.addMessage({ text: `line ${number}` });
    })""")
    expect(stage.page.get_by_role("status").locator("p")).to_have_text(
        ["line 1", "line 2", "line 3", "line 4", "line 5", "More messages: 35"]
    )


def test_focus_stays_where_it_is(stage: Stage) -> None:
    visit(stage)
    stage.page.locator("#save").focus()
    say(stage, "One", "error")
    say(stage, "Two")
    expect(items(stage)).to_have_count(2)
    expect(stage.page.locator("#save")).to_be_focused()


def test_the_keyboard_reaches_and_closes_messages(stage: Stage) -> None:
    visit(stage)
    for text in ("One", "Two", "Three"):
        say(stage, text, "warning")
    expect(items(stage)).to_have_count(3)
    stage.page.locator("#save").focus()
    stage.page.keyboard.press("Tab")
    expect(items(stage).nth(0).get_by_role("button", name="Close")).to_be_focused()
    stage.page.keyboard.press("Enter")
    expect(items(stage)).to_have_text(["Warning: Two×", "Warning: Three×"])
    expect(items(stage).nth(0).get_by_role("button")).to_be_focused()
    stage.page.keyboard.press("Escape")
    stage.page.keyboard.press("Escape")
    expect(items(stage)).to_have_count(0)
    expect(stage.page.locator("#save")).to_be_focused()


def test_escape_elsewhere_closes_nothing(stage: Stage) -> None:
    visit(stage)
    say(stage, "One", "warning")
    expect(items(stage)).to_have_count(1)
    stage.page.locator("#save").focus()
    stage.page.keyboard.press("Escape")
    expect(items(stage)).to_have_count(1)


def test_a_message_that_hides_its_close_option_cannot_be_closed(stage: Stage) -> None:
    visit(stage)
    say(stage, "Read only", "error", hideCloseOption=True, clickURL="/why/")
    items(stage).get_by_role("link").focus()
    stage.page.keyboard.press("Escape")
    expect(items(stage)).to_have_count(1)
    assert items(stage).get_by_role("button").count() == 0


def test_information_goes_after_a_while_and_warnings_stay(stage: Stage) -> None:
    hold_clock(stage)
    visit(stage, "duration_s=3")
    for level in ("info", "success", "warning", "error"):
        say(stage, level, level)
    expect(items(stage)).to_have_count(4)
    let_pass(stage, 60_000)
    expect(items(stage)).to_have_text(["Warning: warning×", "Error: error×"])


def test_a_duration_of_none_lets_everything_stay(stage: Stage) -> None:
    hold_clock(stage)
    visit(stage, "duration_s=0")
    say(stage, "Here")
    expect(items(stage)).to_have_count(1)
    let_pass(stage, 600_000)
    expect(items(stage)).to_have_count(1)


def test_time_stands_still_while_the_pointer_is_on_a_message(stage: Stage) -> None:
    hold_clock(stage)
    visit(stage)
    say(stage, "Read me")
    items(stage).hover()
    let_pass(stage, 60_000)
    expect(items(stage)).to_have_count(1)
    stage.page.mouse.move(5, 500)
    let_pass(stage, 20_000)
    expect(items(stage)).to_have_count(0)


def test_time_stands_still_while_a_message_has_the_focus(stage: Stage) -> None:
    hold_clock(stage)
    visit(stage)
    say(stage, "Read me")
    items(stage).get_by_role("button").focus()
    let_pass(stage, 60_000)
    expect(items(stage)).to_have_count(1)
    stage.page.locator("#save").focus()
    let_pass(stage, 20_000)
    expect(items(stage)).to_have_count(0)


def test_time_stands_still_while_nobody_sees_the_page(stage: Stage) -> None:
    hold_clock(stage)
    visit(stage)
    hide = """(isHidden) => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    stage.page.evaluate(hide, True)
    say(stage, "Missed?")
    expect(items(stage)).to_have_count(1)
    let_pass(stage, 60_000)
    expect(items(stage)).to_have_count(1)
    stage.page.evaluate(hide, False)
    let_pass(stage, 20_000)
    expect(items(stage)).to_have_count(0)


def test_older_messages_fold_away_and_can_be_unfolded(stage: Stage) -> None:
    visit(stage)
    for number in range(1, 10):
        say(stage, str(number), "warning")
    expect(items(stage)).to_have_text([f"Warning: {number}×" for number in range(5, 10)])
    more = stage.page.get_by_role("button", name="Older messages: 4")
    expect(more).to_have_attribute("aria-expanded", "false")
    more.click()
    expect(items(stage)).to_have_text([f"Warning: {number}×" for number in range(1, 10)])
    stage.page.get_by_role("button", name="Only the newest messages").click()
    expect(items(stage)).to_have_count(5)
    items(stage).last.get_by_role("button").click()
    expect(items(stage)).to_have_text([f"Warning: {number}×" for number in range(4, 9)])


def test_folded_messages_wait_for_their_turn_to_be_seen(stage: Stage) -> None:
    hold_clock(stage)
    visit(stage, "duration_s=3")
    for number in range(1, 8):
        say(stage, str(number))
    expect(items(stage)).to_have_text([f"Note: {number}×" for number in range(3, 8)])
    let_pass(stage, 3_500)
    expect(items(stage)).to_have_text(["Note: 1×", "Note: 2×"])
    let_pass(stage, 3_500)
    expect(items(stage)).to_have_count(0)


def test_all_can_be_closed_at_once_but_for_those_that_cannot(stage: Stage) -> None:
    visit(stage)
    say(stage, "Stays", "error", hideCloseOption=True)
    for number in range(8):
        say(stage, str(number), "warning")
    stage.page.get_by_role("button", name="Close all").click()
    expect(items(stage)).to_have_text(["Error: Stays"])


def test_a_thousand_stored_messages_are_shown_once_each_in_order(stage: Stage) -> None:
    visit(stage)
    for number in [*range(1, 1001), *range(900, 1001)]:
        say(stage, f"line {number}", "warning", id=number)
    stage.wait_until(lambda: len(stage.heard_of("ack_message")) == 1101)
    texts = stage.page.locator(".page-message-text").all_text_contents()
    assert texts == [f"line {number}" for number in range(1, 1001)]
    assert items(stage).count() == 5


@pytest.mark.parametrize(
    ("url", "href"),
    [
        ("/cities/", f"{ORIGIN}/cities/"),
        ("https://partner.example/x", "https://partner.example/x"),
        ("https://elsewhere.example/", None),
        ("javascript:alert(1)", None),
        ("//elsewhere.example/", None),
    ],
)
def test_a_text_is_a_link_where_it_may_lead(stage: Stage, settings: Any, url: str, href: str | None) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "ALLOWED_REDIRECT_HOSTS": ["partner.example"]}
    visit(stage)
    say(stage, "Your import finished", clickURL=url)
    expect(items(stage)).to_have_count(1)
    links = items(stage).get_by_role("link").evaluate_all("links => links.map(({ href }) => href)")
    assert links == ([href] if href else [])


def test_closing_tells_the_server_where_the_message_says_so(stage: Stage) -> None:
    stage.answers["/read/7/"] = (200, {})
    visit(stage)
    token = host(stage).locator("input[name=csrfmiddlewaretoken]").input_value()
    say(stage, "Here", closeURL="/read/7/")
    say(stage, "There", closeURL="https://elsewhere.example/read/")
    for _ in range(2):
        items(stage).first.get_by_role("button").click()
    expect(items(stage)).to_have_count(0)
    stage.wait_until(lambda: stage.requests)
    [(method, path, headers, _)] = stage.requests
    assert (method, path, headers["x-csrftoken"]) == ("POST", "/read/7/", token)


def test_what_vanishes_by_itself_tells_the_server_nothing(stage: Stage) -> None:
    hold_clock(stage)
    visit(stage)
    say(stage, "Here", closeURL="/read/7/")
    expect(items(stage)).to_have_count(1)
    let_pass(stage, 20_000)
    expect(items(stage)).to_have_count(0)
    assert stage.requests == []


def test_a_redirect_is_followed(stage: Stage) -> None:
    visit(stage)
    stage.say({"type": "redirect", "v": 1, "url": "/results/?a=1", "channel": OWNER})
    expect(stage.page).to_have_url(f"{ORIGIN}/results/?a=1")
    stage.page.go_back()
    expect(stage.page).to_have_url(f"{ORIGIN}/page/")


def test_a_stored_redirect_is_acknowledged_and_followed_once(stage: Stage) -> None:
    visit(stage)
    redirect = {"type": "redirect", "v": 1, "url": "/results/", "channel": OWNER, "id": 9}
    stage.say(redirect)
    expect(stage.page).to_have_url(f"{ORIGIN}/results/")
    stage.wait_until(lambda: stage.heard_of("ack_message") == [{"type": "ack_message", "id": 9}])
    visit(stage)
    stage.say(redirect)
    say(stage, "Still here")
    expect(items(stage)).to_have_count(1)
    expect(stage.page).to_have_url(f"{ORIGIN}/page/")
    assert len(stage.heard_of("ack_message")) == 2


@pytest.mark.parametrize("url", ["https://elsewhere.example/", "javascript:alert(1)", "//elsewhere.example/"])
def test_a_redirect_to_another_site_is_dropped_with_a_warning(stage: Stage, url: str) -> None:
    visit(stage)
    with stage.page.expect_console_message(lambda message: url in message.text) as caught:
        stage.say({"type": "redirect", "v": 1, "url": url, "channel": OWNER})
    assert caught.value.type == "warning"
    say(stage, "Still here")
    expect(items(stage)).to_have_count(1)
    expect(stage.page).to_have_url(f"{ORIGIN}/page/")


def test_progress_moves_a_bar_that_goes_after_the_end(stage: Stage) -> None:
    hold_clock(stage)
    visit(stage)
    bar = stage.page.get_by_role("progressbar", name="Progress")
    expect(bar).to_have_count(0)
    report(stage, "42%")
    expect(bar).to_have_js_property("value", 42)
    report(stage, "100%")
    expect(bar).to_have_js_property("value", 100)
    let_pass(stage, 2_000)
    expect(bar).to_have_count(0)


def test_bars_of_the_site_move_instead(stage: Stage) -> None:
    bars = """<progress id="op" max="50" aria-label="Op" data-channels-progress-channel="op"></progress>
        <div id="any" data-channels-progress-bar role="progressbar" aria-label="Any"></div>
        <div id="mine" data-channels-progress-bar data-channels-progress-channel="other"></div>"""
    visit(stage, main=bars)
    report(stage, "42%", "op")
    expect(stage.page.locator("#op")).to_have_js_property("value", 21)
    expect(stage.page.locator("#any")).to_have_attribute("aria-valuenow", "42")
    sizes = stage.page.locator("div[id]").evaluate_all("bars => bars.map(({ style }) => style.inlineSize)")
    assert sizes == ["42%", ""]
    expect(stage.page.locator(".page-messages-bar")).to_be_hidden()


TEMPLATE = """<template data-channels-progress-message>
    <div class="alert"><strong data-message="level"></strong> <span data-message="text"></span>
    <a data-message="link">More</a> <button data-message="close" aria-label="Away">x</button></div></template>
    <template data-channels-progress-message="error"><b data-message="text"></b></template>"""


def test_a_site_renders_messages_by_a_template(stage: Stage) -> None:
    visit(stage, main=OTHERS + TEMPLATE)
    say(stage, "<i>Saved</i>", "success", clickURL="/cities/")
    own = stage.page.locator(".page-message-own")
    expect(own.locator(".alert")).to_have_text("Success: <i>Saved</i> More x")
    expect(own.get_by_role("link", name="More")).to_have_attribute("href", f"{ORIGIN}/cities/")
    assert own.evaluate("item => [item.dataset.level, item.className]") == ["success", "page-message-own success"]
    own.get_by_role("button", name="Away").click()
    expect(own).to_have_count(0)


def test_a_template_for_a_level_goes_before_the_one_for_all(stage: Stage) -> None:
    visit(stage, main=OTHERS + TEMPLATE)
    say(stage, "Broken", "error", clickURL="/why/")
    own = stage.page.locator(".page-message-own")
    assert own.inner_html() == f'<b data-message="text"><a href="{ORIGIN}/why/">Broken</a></b>'


def test_what_a_message_does_not_have_is_left_out_of_the_template(stage: Stage) -> None:
    visit(stage, main=OTHERS + TEMPLATE)
    say(stage, "Plain", hideCloseOption=True)
    own = stage.page.locator(".page-message-own")
    expect(own).to_have_text("Note: Plain")
    assert own.locator("a, button").count() == 0


LISTEN = """<script type="module">
    window.told = [];
    for (const type of ["message", "redirect", "progress", "html"])
        document.addEventListener(`page-messages:${type}`, (event) => {
            told.push([type, event.target.localName, event.detail]);
            event.preventDefault();
        });
</script>"""


def test_events_bubble_from_the_element_and_what_is_prevented_is_not_done(stage: Stage) -> None:
    visit(stage, main=OTHERS + '<p id="x">old</p>' + LISTEN)
    say(stage, "Hello", id=3)
    stage.say({"type": "redirect", "v": 1, "url": "/results/", "channel": OWNER})
    report(stage, "42%")
    stage.say({"type": "html", "v": 1, "html": '<p id="x">new</p>', "channel": ALL})
    stage.wait_until(lambda: stage.page.evaluate("told.length") == 4)
    told = stage.page.evaluate("told.map(([type, name, { channel }]) => [type, name, channel])")
    assert told == [
        ["message", "page-messages", ALL],
        ["redirect", "page-messages", OWNER],
        ["progress", "page-messages", OWNER],
        ["html", "page-messages", ALL],
    ]
    expect(stage.page.locator("#x")).to_have_text("old")
    assert stage.page.locator(".page-message, progress:not([hidden])").count() == 0
    expect(stage.page).to_have_url(f"{ORIGIN}/page/")
    assert stage.heard_of("ack_message") == [{"type": "ack_message", "id": 3}]


def test_html_replaces_elements_of_the_same_id_and_runs_no_script(stage: Stage) -> None:
    visit(stage, main='<p id="a">old</p><ul id="list"><li>1</li></ul><p id="c">old</p>')
    html = """<p id="a" onclick="window.ran = 1">new<img src="x" onerror="window.ran = 2"></p>
        <ul id="list" hx-swap-oob="beforeend"><li>2</li></ul><div hx-swap-oob="innerHTML:#c"><b>bold</b></div>
        <script>window.ran = 3</script><p id="nowhere">x</p><p>no id</p><p hx-swap-oob="true:::">x</p>"""
    stage.say({"type": "html", "v": 1, "html": html, "channel": ALL})
    expect(stage.page.locator("#a")).to_have_text("new")
    expect(stage.page.locator("#list li")).to_have_text(["1", "2"])
    assert stage.page.locator("#c").inner_html() == "<b>bold</b>"
    stage.page.locator("#a").click()
    assert stage.page.evaluate("window.ran ?? null") is None


def test_init_and_the_element_show_a_message_once(stage: Stage) -> None:
    start = """<script type="module">
        import { init } from "/static/channels_progress/channels_progress.js";
        window.pages = [init({ extraChannels: ["room"] }), init(), init({ extraChannels: ["hall"] })];
    </script>"""
    visit(stage, main=OTHERS + start)
    stage.wait_until(lambda: sum("channels" in frame for frame in stage.heard_of("subscribe")) >= 1)
    say(stage, "Hello", "warning", channel="room")
    say(stage, "World", "warning")
    expect(items(stage)).to_have_text(["Warning: Hello×", "Warning: World×"])
    assert len(stage.sockets) == 1


def test_init_alone_shows_messages_too(stage: Stage) -> None:
    stage.html = stage.build_page(OTHERS)
    stage.page.goto(f"{ORIGIN}/page/")
    stage.page.evaluate("""import("/static/channels_progress/channels_progress.js").then((module) => module.init())""")
    stage.wait_until(lambda: stage.heard_of("subscribe"))
    say(stage, "Hello", "warning")
    expect(items(stage)).to_have_text(["Warning: Hello×"])
    expect(host(stage)).to_have_count(1)


def test_messages_stay_while_the_element_around_them_is_replaced(stage: Stage) -> None:
    visit(stage)
    say(stage, "Stays", "warning")
    expect(items(stage)).to_have_count(1)
    stage.page.evaluate(
        "html => document.querySelector('page-messages').outerHTML = html",
        host(stage).evaluate("element => element.outerHTML"),
    )
    say(stage, "Comes", "warning")
    expect(items(stage)).to_have_text(["Warning: Stays×", "Warning: Comes×"])
    assert (len(stage.sockets), len(stage.heard_of("subscribe")), stage.heard_of("unsubscribe")) == (1, 1, [])


def test_of_two_elements_one_shows_messages_and_the_other_takes_over(stage: Stage) -> None:
    visit(stage, main=OTHERS + render(stage, "position='bottom'"))
    say(stage, "Once", "warning")
    expect(items(stage)).to_have_text(["Warning: Once×"])
    stage.page.evaluate("document.querySelector('page-messages:has(.page-message)').remove()")
    expect(items(stage)).to_have_text(["Warning: Once×"])
    say(stage, "Twice", "warning")
    expect(items(stage)).to_have_text(["Warning: Once×", "Warning: Twice×"])


def test_a_visit_of_turbo_keeps_messages_and_what_is_heard(stage: Stage, npm_packages: Path) -> None:
    turbo = (npm_packages / "@hotwired" / "turbo" / "dist" / "turbo.es2017-umd.js").read_text()
    head = '<script src="/npm/turbo.js" defer></script>'
    stage.served["/npm/turbo.js"] = turbo
    stage.served["/other/"] = build(stage, main='<h1>Other</h1><a href="/page/">Back</a>', head=head)
    visit(stage, main='<h1>Cities</h1><a href="/other/">Away</a>', head=head)
    stage.served["/page/"] = stage.html
    say(stage, "Stays", "warning")
    expect(items(stage)).to_have_count(1)
    for link, heading in (("Away", "Other"), ("Back", "Cities")):
        stage.page.get_by_role("link", name=link).click()
        expect(stage.page.get_by_role("heading", name=heading)).to_be_visible()
        expect(items(stage)).to_have_text(["Warning: Stays×"])
    say(stage, "Comes", "warning")
    expect(items(stage)).to_have_text(["Warning: Stays×", "Warning: Comes×"])
    items(stage).first.get_by_role("button").click()
    expect(items(stage)).to_have_text(["Warning: Comes×"])
    assert (len(stage.sockets), len(stage.heard_of("subscribe")), stage.heard_of("unsubscribe")) == (1, 1, [])


def test_under_a_strict_policy_everything_works(stage: Stage) -> None:
    policy = "default-src 'self'; connect-src 'self' ws:"
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    bar = '<div data-channels-progress-bar id="bar"></div>'
    visit(stage, head=head, main=OTHERS + TEMPLATE + bar)
    say(stage, "Hello", "warning")
    report(stage, "42%")
    expect(stage.page.locator(".page-message-own")).to_have_count(1)
    size = "bar => Math.round(100 * bar.clientWidth / bar.parentElement.clientWidth)"
    stage.wait_until(lambda: stage.page.locator("#bar").evaluate(size) == 42)


def test_in_another_language_everything_is_said_in_it(stage: Stage) -> None:
    with translation.override("pl"):
        visit(stage)
    say(stage, "Zaraz wracam", "warning")
    expect(items(stage).get_by_role("button", name="Zamknij")).to_be_visible()
    expect(stage.page.get_by_role("region", name="Komunikaty")).to_be_visible()


def test_nonsense_on_the_socket_shows_nothing(stage: Stage) -> None:
    visit(stage)
    for frame in ({"text": 7}, {"text": "x", "cssClass": [1], "clickURL": {}, "closeText": 5, "channel": 1}):
        stage.say({"type": "message", "v": 1, **frame})
    stage.sockets[-1].send(json.dumps({"type": "message", "v": 1, "text": "x", "cssClass": "1 <b> --x"}))
    expect(items(stage)).to_have_text(["Note: x×", "Note: x×"])
