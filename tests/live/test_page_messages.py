"""``{% page_messages %}`` on a site of ours: a real server, a real Redis, a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.live import visiting
from tests.live.rig import Rig, Site
from tests.live.visiting import Visit, Visitor, run_visited_site
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("page messages")

visit = visiting.visit


@pytest.fixture(scope="module")
def running(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, Site]]:
    with run_visited_site(redis_url, tmp_path_factory.mktemp("messages"), ENABLE_ANONYMOUS=True) as running:
        yield running


def shown(page: Page) -> Locator:
    return page.locator(".page-message-text")


def wait_until_heard(visitor: Visitor, page: Page) -> None:
    """Wait until what is sent to everybody reaches the page: it asks for its audiences first, and so for all else."""
    expect(page.locator("page-messages")).to_have_attribute("connection", "open")
    page.evaluate("""async () => {
        const module = await import("/static/channels_progress/channels_progress.js");
        const url = document.querySelector("page-messages").getAttribute("socket");
        window.ear = module.getClient(url).listen();
    }""")
    is_settled = (
        "ear.channels.includes('articles.article-42') && ear.channels.some((name) => name.startsWith('audience:'))"
    )
    wait_until(lambda: page.evaluate(is_settled) or page.wait_for_timeout(10))


def test_everything_that_somebody_may_hear_arrives(visit: Visit) -> None:
    alice = visit("alice")
    page = alice.go("/page/")
    wait_until_heard(alice, page)
    wait_until(lambda: page.evaluate("ear.channels.includes('import-42')") or page.wait_for_timeout(10))
    assert sorted(page.evaluate("ear.channels.filter((name) => !name.startsWith('user:'))")) == [
        "articles.article-42",
        "audience:all",
        "audience:authenticated",
        "import-42",
    ]
    alice.say(
        ("send_to_user", ["alice", "To <b>Alice</b>"], {"level": "warning"}),
        ("send_to_all", ["To all"], {"level": "warning"}),
        ("send_to_channel", ["articles.article-42", "To who reads it"], {"level": "warning"}),
        ("send_to_channel", ["secrets.secret-1", "To others"], {"level": "warning"}),
        ("send_to_channel", ["import-42", "To who has the token"], {"level": "error"}),
        ("progress_user", ["alice", 41.5], {}),
    )
    expect(shown(page)).to_have_text(["To <b>Alice</b>", "To all", "To who reads it", "To who has the token"])
    expect(page.get_by_role("progressbar", name="Progress")).to_have_js_property("value", 41.5)
    alice.say(("redirect_channel", ["import-42", "/acknowledged/?a=1"], {}))
    page.wait_for_url("**/acknowledged/?a=1")


def test_stored_messages_come_in_order_and_once(visit: Visit) -> None:
    reader = visit("reader")
    acknowledged = reader.count_acknowledged()
    options = {"persist": True, "level": "warning"}
    reader.say(*[("send_to_user", ["reader", f"Stored {number}"], options) for number in range(250)])
    page = reader.go("/page/")
    expect(shown(page)).to_have_text([f"Stored {number}" for number in range(250)])
    wait_until(lambda: reader.count_acknowledged() == acknowledged + 250)
    page.reload()
    wait_until_heard(reader, page)
    reader.say(("send_to_user", ["reader", "Afterwards"], {"level": "warning"}))
    expect(shown(page)).to_have_text(["Afterwards"])


def test_a_stored_redirect_is_followed_once(visit: Visit) -> None:
    walker = visit("walker")
    acknowledged = walker.count_acknowledged()
    walker.say(("redirect_user", ["walker", "/acknowledged/?b=1"], {"persist": True}))
    page = walker.go("/page/")
    page.wait_for_url("**/acknowledged/?b=1")
    wait_until(lambda: walker.count_acknowledged() == acknowledged + 1)
    page.goto("/page/")
    wait_until_heard(walker, page)
    walker.say(("send_to_user", ["walker", "Here"], {"level": "warning"}))
    expect(shown(page)).to_have_text(["Here"])


def test_an_anonymous_visitor_has_what_came_while_they_were_away(visit: Visit) -> None:
    nobody = visit("")
    page = nobody.go("/page/")
    wait_until_heard(nobody, page)
    nobody.say(("send_to_anonymous", ["First"], {"persist": True, "level": "warning"}))
    expect(shown(page)).to_have_text(["First"])
    page.goto("about:blank")
    nobody.say(("send_to_anonymous", ["Second"], {"persist": True, "level": "warning"}))
    page.goto("/page/")
    expect(shown(page)).to_have_text(["Second"])
    page.reload()
    wait_until_heard(nobody, page)
    nobody.say(("send_to_anonymous", ["Third"], {"level": "warning"}))
    expect(shown(page)).to_have_text(["Third"])


def test_the_page_that_has_sent_something_can_be_left_out(visit: Visit) -> None:
    alice = visit("alice")
    pages = [alice.go("/page/"), alice.go("/page/")]
    for page in pages:
        wait_until_heard(alice, page)
    answer = pages[0].evaluate("fetch('/say-to-others/', { method: 'POST' }).then((response) => response.json())")
    assert answer["answer"] is True
    assert answer["page"]
    expect(shown(pages[1])).to_have_text(["For the others"])
    alice.say(("send_to_all", ["For everybody"], {"level": "warning"}))
    expect(shown(pages[0])).to_have_text(["For everybody"])


def test_channels_come_and_go_on_the_open_socket(visit: Visit) -> None:
    alice = visit("alice")
    page = alice.go("/page/")
    wait_until_heard(alice, page)
    page.evaluate("ear.unsubscribe('articles.article-42')")
    page.evaluate("ear.add({ channels: ['articles.article-7'] })")
    wait_until(lambda: page.evaluate("ear.channels.includes('articles.article-7')") or page.wait_for_timeout(10))
    alice.say(
        ("send_to_channel", ["articles.article-42", "Left"], {"level": "warning"}),
        ("send_to_channel", ["articles.article-7", "Joined"], {"level": "warning"}),
    )
    expect(shown(page)).to_have_text(["Joined"])


def test_after_a_restart_of_the_server_everything_is_heard_again(visit: Visit, running: tuple[Rig, Site]) -> None:
    site = running[1]
    alice = visit("alice")
    page = alice.go("/page/")
    wait_until_heard(alice, page)
    alice.say(("send_to_user", ["alice", "Before"], {"persist": True, "level": "warning"}))
    expect(shown(page)).to_have_text(["Before"])
    site.stop()
    expect(page.locator("page-messages")).not_to_have_attribute("connection", "open")
    site.restart()
    expect(page.locator("page-messages")).to_have_attribute("connection", "open")
    alice.say(("send_to_user", ["alice", "After"], {"persist": True, "level": "warning"}))
    expect(shown(page)).to_have_text(["Before", "After"])
