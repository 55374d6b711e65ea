"""The published client of the reference, on a page of a site of ours: a real server, a real Redis, a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.live import visiting
from tests.live.rig import Site
from tests.live.rig.pages import FOLDER
from tests.live.visiting import Visit, Visitor
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("reference")
running, site, visit = visiting.running, visiting.site, visiting.visit

OLD, NEW = "0.2.0", "0.3.1"
LIBRARIES = {
    "jquery": "jquery/dist/jquery.js",
    "mustache": "mustache/mustache.js",
    "toastify": "toastify-js/src/toastify.js",
    "tone": "tone/build/Tone.js",
}
PLACES = """
<div id="messagesPlaceholder"></div>
<script id="messageTemplate" type="text/x-template"><p class="callout {{ cssClass }}">{{ text }}</p></script>
<div id="notifications-progress"></div>
"""
START = """
window.states = [];
const onConnectionChange = (state) => states.push(state);
channelsBroadcast.init(["articles.article-42"], { subscriptionToken: "%(token)s", onConnectionChange });
"""
TOASTS = "channelsBroadcast.useToastify({ duration: 60000 });" + START
NOTES = """
window.notes = [];
Tone.PolySynth.prototype.triggerAttackRelease = (note) => notes.push(note);
channelsBroadcast.enableChime();
"""
#: Once whoever waits for sound to be allowed has been told.
SOUND = "Tone.start().then(() => new Promise((resolve) => setTimeout(resolve)))"
#: Once the server has done what a client without our protocol wants at its connect.
SETTLE = """() => new Promise((resolve) => {
    const socket = channelsBroadcast.chatSocket;
    socket.addEventListener("message", ({ data }) => data.includes("pong") && resolve());
    socket.send('{"type":"ping"}');
})"""


Open = Callable[..., Page]


@pytest.fixture
def open_page(npm_packages: Path, reference_scripts: Callable[[str], Path]) -> Open:
    """``open_page(visitor, version, *scripts)``: these libraries and scripts of the reference, and then ``start``."""

    def open_page(visitor: Visitor, version: str, *scripts: str, start: str = START) -> Page:
        files = [npm_packages / LIBRARIES[name] for name in scripts if name in LIBRARIES]
        own = ["notifications.js", *(name for name in scripts if name not in LIBRARIES)]
        files += [reference_scripts(version) / name for name in own]
        all_files: dict[str, Path | str] = {file.name: file for file in files}
        all_files["start.js"] = start % {"token": visitor.token}
        tags = "".join(f'<script src="{name}"></script>' for name in all_files)
        return visitor.open(PLACES + tags, {**all_files, "elsewhere.html": "<!doctype html><title>Elsewhere</title>"})

    return open_page


def wait_for_state(page: Page, state: str, times: int = 1) -> None:
    """Wait until the client has said this so often. Playwright calls back only inside its own calls."""
    wait_until(lambda: page.evaluate("states").count(state) >= times or page.wait_for_timeout(10))


def wait_until_heard(page: Page, times: int = 1) -> None:
    """Wait until what is sent reaches the page, which has connected so often."""
    wait_for_state(page, "open", times)
    page.evaluate(SETTLE)


@pytest.mark.parametrize(
    ("version", "libraries"),
    [(OLD, ["jquery", "mustache"]), (NEW, ["jquery", "mustache"]), (NEW, [])],
    ids=["0.2.0", "0.3.1", "0.3.1 vanilla"],
)
def test_messages_progress_and_redirects_arrive(
    visit: Visit, open_page: Open, version: str, libraries: list[str]
) -> None:
    alice = visit("alice")
    page = open_page(alice, version, *libraries)
    wait_until_heard(page)
    alice.say(
        ("send_to_user", ["alice", "To <b>Alice</b>"], {"level": "success"}),
        ("send_to_all", ["To all"], {"level": "warning"}),
        ("send_to_channel", ["articles.article-42", "To who reads it"], {}),
        ("send_to_channel", ["secrets.secret-1", "To others"], {}),
        ("send_to_channel", ["import-42", "To who has the token"], {"level": "error"}),
        ("progress_user", ["alice", 41.5], {}),
    )
    shown = page.locator("#messagesPlaceholder > *")
    expect(shown).to_have_text(["To <b>Alice</b>", "To all", "To who reads it", "To who has the token"])
    kind = "callout" if libraries else "msg"
    expect(shown).to_have_class([f"{kind} {level}" for level in ("success", "warning", "info", "error")])
    expect(page.locator("#notifications-progress")).to_have_attribute("style", "width: 41.5%;")
    alice.say(("redirect_channel", ["import-42", f"/{FOLDER}/elsewhere.html?page=2"], {}))
    page.wait_for_url(f"**/{FOLDER}/elsewhere.html?page=2")


@pytest.mark.parametrize("version", [OLD, NEW])
def test_stored_messages_come_in_order_and_once(visit: Visit, open_page: Open, version: str) -> None:
    alice = visit(f"reader-{version}")
    name, acknowledged = f"reader-{version}", alice.count_acknowledged()
    alice.say(*[("send_to_user", [name, f"Stored {number}"], {"persist": True}) for number in range(3)])
    page = open_page(alice, version)
    shown = page.locator("#messagesPlaceholder > *")
    expect(shown).to_have_text(["Stored 0", "Stored 1", "Stored 2"])
    wait_until(lambda: alice.count_acknowledged() == acknowledged + 3)
    page.reload()
    wait_until_heard(page)
    alice.say(("send_to_user", [name, "Afterwards"], {}))
    expect(shown).to_have_text(["Afterwards"])


def test_it_reconnects_to_a_server_that_was_restarted(visit: Visit, open_page: Open, site: Site) -> None:
    alice = visit("alice")
    page = open_page(alice, NEW)
    wait_until_heard(page)
    site.stop()
    wait_for_state(page, "closed")
    site.restart()
    wait_until_heard(page, times=2)
    alice.say(("send_to_channel", ["import-42", "Again"], {}))
    expect(page.locator("#messagesPlaceholder > *")).to_have_text(["Again"])


def test_an_anonymous_visitor_is_refused(visit: Visit, open_page: Open) -> None:
    page = open_page(visit(""), NEW)
    wait_for_state(page, "closed", times=2)
    assert "open" not in page.evaluate("states")


def test_its_toasts_are_shown(visit: Visit, open_page: Open) -> None:
    alice = visit("alice")
    page = open_page(alice, NEW, "toastify", "notifications-toastify.js", start=TOASTS)
    wait_until_heard(page)
    alice.say(("send_to_user", ["alice", "<i>Done</i>"], {"level": "success", "hide_close_option": True}))
    expect(page.locator(".toastify")).to_have_text("<i>Done</i>")
    alice.say(("progress_user", ["alice", 100], {}))
    expect(page.locator("#notifications-progress")).to_have_attribute("style", "width: 100%;")
    assert page.locator("#messagesPlaceholder > *").count() == 0


def test_its_chime_is_heard(visit: Visit, open_page: Open) -> None:
    alice = visit("alice")
    page = open_page(alice, NEW, "tone", "notifications-chime.js", start=START + NOTES)
    wait_until_heard(page)
    alice.say(("send_to_user", ["alice", "Silent"], {}))
    expect(page.locator(".msg")).to_have_count(1)
    page.mouse.click(5, 5)
    page.evaluate(SOUND)
    alice.say(("send_to_user", ["alice", "Loud"], {}))
    expect(page.locator(".msg")).to_have_count(2)
    assert page.evaluate("notes") == ["C5", "E5", "G5", "C6"]
