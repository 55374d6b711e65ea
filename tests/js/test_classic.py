"""Pages that come from django-channels-broadcast: the places they have, and ``classic.js`` instead of its script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.js.stage import ORIGIN, STATIC, Stage, render_assets
from tests.js.test_page_messages import report, say, visit

pytestmark = pytest.mark.browser

POLICY = "default-src 'self'; connect-src 'self' ws:; worker-src blob:"
CLASSIC = "/static/channels_progress/classic.js"
PLACES = '<div id="messagesPlaceholder"></div><div id="notifications-progress"></div>'
TEMPLATE = '<script id="messageTemplate" type="text/x-template">{}</script>'
HTML = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"


def open_page(
    stage: Stage,
    attributes: str = "data-auto",
    *,
    body: str = PLACES,
    start: str = "",
    policy: str = POLICY,
    end: str = "",
) -> None:
    """A page with one tag of ours, a script of its own after it, and ``end``; returns once it is connected."""
    stage.served["/start.js"] = start
    stage.html = (
        f'<!doctype html><meta http-equiv="Content-Security-Policy" content="{policy}"><title>Page</title>{body}'
        f'<script src="{CLASSIC}" {attributes}></script><script src="/start.js"></script>{end}'
    )
    stage.page.goto(f"{ORIGIN}/page/")
    stage.wait_until(lambda: stage.heard_of("subscribe"))


def shown(stage: Stage) -> Locator:
    return stage.page.locator("#messagesPlaceholder > *")


def asked(stage: Stage) -> list[dict[str, Any]]:
    return [{key: value for key, value in frame.items() if key != "ref"} for frame in stage.heard_of("subscribe")]


def test_one_tag_shows_messages_and_progress_where_the_page_has_places(stage: Stage) -> None:
    open_page(stage)
    say(stage, f"Hello {HTML}", "warning")
    report(stage, "41.5%")
    expect(shown(stage)).to_have_text([f"Hello {HTML}"])
    expect(shown(stage)).to_have_class("msg warning")
    expect(stage.page.locator("#notifications-progress")).to_have_attribute("style", "width: 41.5%;")
    assert stage.page.locator("#messagesPlaceholder").get_attribute("aria-live") == "polite"
    assert stage.page.locator("page-messages").count() == 0


def test_the_tag_says_what_to_hear(stage: Stage) -> None:
    channels = '["articles.article-42"]'
    open_page(stage, f"data-auto data-extra-channels='{channels}' data-subscription-token=op-1 data-socket-url=/ws/")
    stage.wait_until(lambda: len(stage.heard_of("subscribe")) == 3)
    assert asked(stage) == [
        {"type": "subscribe", "audiences": True},
        {"type": "subscribe", "token": "op-1"},
        {"type": "subscribe", "channels": ["articles.article-42"]},
    ]
    assert stage.sockets[0].url.startswith(f"{ORIGIN.replace('http', 'ws')}/ws/?page=")


def test_a_template_is_filled_in_with_text_alone(stage: Stage) -> None:
    template = (
        '<p class="callout {{cssClass}}" title="{{ text }}" onclick="{{ text }}" style="color: {{ text }}">'
        '{{{ text }}}{{ unknown }}<a href="{{ clickURL }}">Show</a><a href="{{ text }}">Bad</a></p>'
    )
    # What this page would run, nobody keeps it from running.
    open_page(stage, body=PLACES + TEMPLATE.format(template), policy="object-src 'none'")
    say(stage, f"javascript:window.ran=1 {HTML}", "success", clickURL="/cities/")
    expect(shown(stage)).to_have_text([f"javascript:window.ran=1 {HTML}ShowBad"])
    names = shown(stage).evaluate("element => element.getAttributeNames()")
    links = shown(stage).locator("a").evaluate_all("links => links.map((link) => link.getAttribute('href'))")
    assert (names, links) == (["class", "title"], ["/cities/", None])
    assert stage.page.evaluate("window.ran") is None


def test_a_template_is_rendered_by_mustache_where_the_page_has_it(stage: Stage, npm_packages: Path) -> None:
    stage.served["/mustache.js"] = (npm_packages / "mustache/mustache.js").read_text()
    template = '<p class="{{ cssClass }}">{{ text }}{{#clickURL}}, <a href="{{ clickURL }}">show</a>{{/clickURL}}</p>'
    open_page(stage, body=f'{PLACES}{TEMPLATE.format(template)}<script src="/mustache.js"></script>')
    say(stage, HTML)
    say(stage, "Cities", "success", clickURL="/cities/")
    expect(shown(stage)).to_have_text([HTML, "Cities, show"])
    expect(shown(stage)).to_have_class(["info", "success"])
    assert stage.page.locator("#messagesPlaceholder img").count() == 0


def test_a_template_that_needs_mustache_is_left_where_there_is_none(stage: Stage) -> None:
    open_page(stage, body=PLACES + TEMPLATE.format("<p>{{#clickURL}}{{ text }}{{/clickURL}}</p>"))
    say(stage, "Hello")
    expect(shown(stage)).to_have_class("msg info")


def test_the_places_work_with_the_tag_of_ours_too(stage: Stage) -> None:
    visit(stage, main=PLACES)
    say(stage, "Hello")
    expect(shown(stage)).to_have_text(["Hello"])
    assert stage.page.locator(".page-message").count() == 0


def test_calls_wait_for_the_client(stage: Stage) -> None:
    start = """
        window.states = [];
        channelsBroadcast.addMessage({ text: "Mine", cssClass: "info" });
        const onConnectionChange = (state) => states.push(state);
        channelsBroadcast.init(["a.b-1"], { subscriptionToken: "op-1", onConnectionChange });
        channelsBroadcast.init('""');
        channelsBroadcast.onmessage({ data: '{"text": "Framed", "cssClass": "info"}' });
    """
    open_page(stage, "", start=start)
    stage.wait_until(lambda: len(stage.heard_of("subscribe")) == 3)
    say(stage, "Heard")
    expect(shown(stage)).to_have_text(["Mine", "Framed", "Heard"])
    assert stage.page.evaluate("states") == ["connecting", "open"]
    stage.page.evaluate("channelsBroadcast.close()")
    assert stage.page.evaluate("states") == ["connecting", "open", "closed"]
    assert len(stage.sockets) == 1


def test_what_a_site_puts_in_the_place_of_functions_is_called(stage: Stage) -> None:
    start = """
        window.told = [];
        const original = channelsBroadcast.addMessage;
        channelsBroadcast.goTo = (url) => told.push(url);
        channelsBroadcast.onChime = ({ text }) => told.push(`chime ${text}`);
        const replacement = (message) => told.push(message.text) && original(message);
        window.replace = () => (channelsBroadcast.addMessage = replacement);
    """
    open_page(stage, start=start)
    say(stage, "One")
    stage.say({"type": "redirect", "v": 1, "url": "/elsewhere/", "channel": "audience:all"})
    stage.wait_until(lambda: stage.page.evaluate("told").count("/elsewhere/"))
    stage.page.evaluate("void replace()")
    say(stage, "Two")
    expect(shown(stage)).to_have_text(["One", "Two"])
    assert stage.page.evaluate("told") == ["chime One", "/elsewhere/", "Two", "chime Two"]


def test_the_plugins_are_switched_on_by_attributes(stage: Stage, npm_packages: Path) -> None:
    stage.served["/toastify.js"] = (npm_packages / "toastify-js/src/toastify.js").read_text()
    options = """data-auto data-chime data-toastify='{"duration": 0, "position": "left"}'"""
    open_page(stage, options, body='<script src="/toastify.js"></script>')
    stage.wait_until(
        lambda: stage.page.evaluate("'enableChime' in channelsProgress && 'useToastify' in channelsProgress")
    )
    say(stage, "Hello")
    expect(stage.page.locator(".toastify")).to_have_class("toastify on toastify-left toastify-top info")


def test_the_plugins_of_the_reference_work_with_it(
    stage: Stage, npm_packages: Path, reference_scripts: Callable[[str], Path]
) -> None:
    scripts = reference_scripts("0.3.1")
    stage.served["/libraries.js"] = "\n".join(
        (npm_packages / name).read_text() for name in ("toastify-js/src/toastify.js", "tone/build/Tone.js")
    )
    plugins = [(scripts / f"notifications-{name}.js").read_text() for name in ("toastify", "chime")]
    calls = "channelsBroadcast.useToastify({ duration: 60000 }); channelsBroadcast.enableChime();"
    noted = "window.told = []; const chime = channelsBroadcast.onChime;"
    noted += "channelsBroadcast.onChime = function (message) { told.push(message.text); chime.call(this, message); };"
    body = f'{PLACES}<script src="/libraries.js"></script>'
    open_page(stage, body=body, start="\n".join([*plugins, calls, noted]))
    say(stage, "Hello", "success")
    report(stage, "42%")
    expect(stage.page.locator(".toastify")).to_contain_text("Hello")
    expect(stage.page.locator("#notifications-progress")).to_have_attribute("style", "width: 42%;")
    assert stage.page.evaluate("told") == ["Hello"]


def test_the_client_that_a_tag_of_the_page_brings_is_used(stage: Stage) -> None:
    hashed = "/assets/channels_progress.0123abcd.js"
    stage.served[hashed] = (STATIC / "channels_progress" / "channels_progress.js").read_text()
    assets = render_assets().replace("/static/channels_progress/channels_progress.js", hashed)
    open_page(stage, "data-auto defer", end=assets)
    say(stage, "Hello")
    expect(shown(stage)).to_have_text(["Hello"])
    loaded = stage.page.evaluate("performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)")
    assert [path for path in loaded if "channels_progress." in path and path.endswith(".js")] == [hashed]
