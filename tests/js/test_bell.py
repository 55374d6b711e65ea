"""``<notification-bell>`` in a real browser: what is live, what stays, where the focus goes, what is fetched when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, expect

from channels_progress.notifications.marks import mark_all_read, mark_read, remove
from channels_progress.texts import TEXTS
from tests.gallery.conftest import axe  # noqa: F401  a fixture
from tests.gallery.test_accessibility import RUN, TAGS
from tests.js.bell_stage import BellStage, find_state, put
from tests.js.stage import ADA, ORIGIN, Stage
from tests.js.test_my_tasks import HIDE

pytestmark = pytest.mark.browser

KEEP_COUNTS = 'addEventListener("notification-bell:change", ({ detail }) => (window.told ??= []).push(detail))'


@pytest.fixture(scope="module")
def database_beside_playwright() -> Iterator[None]:
    """Playwright has a running event loop in this thread; nothing here is asynchronous."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture
def site(database_beside_playwright: None, db: None, stage: Stage) -> BellStage:
    User.objects.create(pk=ADA.pk, username=ADA.username)
    return BellStage(stage.page)


def toggle(site: BellStage) -> Locator:
    return site.page.locator(".notification-bell-toggle")


def shown(site: BellStage) -> Any:
    return site.page.locator("notification-bell [data-uid]").evaluate_all("rows => rows.map(r => r.dataset.uid)")


def focused(site: BellStage) -> Any:
    return site.page.evaluate(
        "() => [document.activeElement.closest('[data-uid]')?.dataset.uid ?? '', "
        "document.activeElement.name || document.activeElement.localName]"
    )


def let_time_pass(site: BellStage) -> None:
    """Whatever waits for its time is done, and what it has asked for has been noted: requests come in order."""
    site.page.clock.run_for(10_000)
    site.page.evaluate("() => fetch('/tasks/inbox/?format=json').then(({ status }) => status)")


# What changes


def test_the_badge_follows_the_inbox_and_nothing_is_fetched_while_nobody_looks(site: BellStage) -> None:
    site.page.clock.install()
    put("Old", is_read=True)
    site.visit_bell()
    expect(toggle(site)).to_have_accessible_name("Notifications")
    for number in range(120):
        put(f"New {number}")
    site.announce_inbox()
    expect(toggle(site)).to_have_accessible_name("Notifications Unread: 120")
    expect(site.page.locator(".notification-bell-count")).to_have_text("99+")
    mark_all_read(ADA)
    site.announce_inbox()
    expect(toggle(site)).to_have_accessible_name("Notifications")
    expect(site.page.locator("notification-bell")).to_have_attribute("unread", "0")
    let_time_pass(site)
    assert site.fetches() == 0


def test_what_is_new_is_there_when_the_bell_is_opened(site: BellStage) -> None:
    old = put("Old")
    site.visit_bell()
    new = put("New")
    site.announce_inbox()
    expect(toggle(site)).to_have_accessible_name("Notifications Unread: 2")
    toggle(site).click()
    expect(site.item(new)).to_be_visible()
    assert shown(site) == [new, old]


def test_an_open_bell_goes_on(site: BellStage) -> None:
    first, second = put("First"), put("Second")
    site.visit_bell()
    toggle(site).click()
    is_same = site.item(first).evaluate_handle("row => row")
    new = put("Third", level="warning")
    remove(ADA, [second])
    site.announce_inbox()
    expect(site.item(new)).to_be_visible()
    expect(site.item(second)).to_have_count(0)
    assert shown(site) == [new, first]
    assert is_same.evaluate("row => row.isConnected")


def test_what_the_rows_show_already_is_not_fetched(site: BellStage) -> None:
    put("One")
    site.visit_bell()
    toggle(site).click()
    site.announce_inbox()
    new = put("Two")
    site.announce_inbox()
    expect(site.item(new)).to_be_visible()
    site.announce_inbox()
    site.visit_bell()
    expect(site.item(new)).to_have_count(1)
    assert site.fetches() == 1


def test_many_changes_are_few_fetches(site: BellStage) -> None:
    site.visit_bell()
    toggle(site).click()
    pushed = []
    for number in range(20):
        last = put(f"New {number}")
        pushed.append(site.read_inbox())
    # At once: on a busy machine the changes themselves take longer than the page waits for more of them.
    for frame in pushed:
        site.sockets[-1].send(frame)
    expect(site.item(last)).to_be_visible()
    expect(toggle(site)).to_have_accessible_name("Notifications Unread: 20")
    assert site.fetches() <= 3


def test_a_hidden_tab_waits_with_its_rows_until_it_is_seen(site: BellStage) -> None:
    site.page.clock.install()
    site.visit_bell()
    toggle(site).click()
    site.page.evaluate(HIDE, True)
    new = put("New")
    site.announce_inbox()
    expect(toggle(site)).to_have_accessible_name("Notifications Unread: 1")
    let_time_pass(site)
    assert site.fetches() == 0
    site.page.evaluate(HIDE, False)
    expect(site.item(new)).to_be_visible()


def test_a_lost_connection_is_made_up_for(site: BellStage) -> None:
    site.visit_bell()
    site.cut()
    put("Missed")
    expect(toggle(site)).to_have_accessible_name("Notifications Unread: 1")


def test_the_page_tells_its_scripts(site: BellStage) -> None:
    site.page.add_init_script(KEEP_COUNTS)
    uid = put("One")
    site.visit_bell()
    put("Two")
    mark_read(ADA, [uid])
    site.announce_inbox()
    expect(site.page.locator("notification-bell")).to_have_attribute("unread", "1")
    site.wait_until(lambda: len(site.page.evaluate("window.told")) == 2)
    counts = site.page.evaluate("[...window.told, document.querySelector('notification-bell').counts]")
    after = {"total": 2, "read": 1, "unread": 1}
    assert counts == [{"total": 1, "read": 0, "unread": 1}, after, after]


# What a person does


def test_one_is_marked_as_read_and_the_focus_stays_in_its_row(site: BellStage) -> None:
    other, uid = put("Other"), put("This")
    site.visit_bell()
    toggle(site).click()
    site.item(uid).locator("[name=read]").focus()
    site.page.keyboard.press("Enter")
    expect(site.item(uid).locator("[name=read]")).to_have_count(0)
    expect(toggle(site)).to_have_accessible_name("Notifications Unread: 1")
    assert (find_state(uid), find_state(other), focused(site)) == (
        ("ACTIVE", True), ("ACTIVE", False), [uid, "remove"],
    )  # fmt: skip


def test_what_is_removed_goes_at_once_and_the_focus_goes_to_the_next(site: BellStage) -> None:
    below, uid, above = put("Below"), put("This"), put("Above")
    site.visit_bell()
    toggle(site).click()
    site.item(uid).locator("[name=remove]").focus()
    site.page.keyboard.press("Enter")
    expect(site.item(uid)).to_have_count(0)
    assert (find_state(uid), shown(site), focused(site)) == (("REMOVED", False), [above, below], [below, "remove"])


def test_the_last_one_that_is_removed_gives_the_focus_to_the_bell(site: BellStage) -> None:
    uid = put()
    site.visit_bell()
    toggle(site).click()
    site.item(uid).locator("[name=remove]").press("Enter")
    expect(site.item(uid)).to_have_count(0)
    expect(site.page.locator(".notification-bell-empty")).to_be_visible()
    expect(toggle(site)).to_be_focused()


def test_all_are_marked_as_read(site: BellStage) -> None:
    uids = [put(), put()]
    site.visit_bell()
    toggle(site).click()
    site.page.get_by_role("button", name="Mark all as read").press("Enter")
    expect(site.page.locator("notification-bell [data-unread]")).to_have_count(0)
    expect(site.page.get_by_role("button", name="Mark all as read")).to_have_count(0)
    assert ([find_state(uid) for uid in uids], site.page.url) == ([("ACTIVE", True)] * 2, f"{ORIGIN}/page/")


def test_what_the_server_does_not_take_is_shown_as_it_is(site: BellStage) -> None:
    uid = put()
    site.visit_bell()
    toggle(site).click()
    site.is_away = True
    site.item(uid).locator("[name=remove]").click()
    expect(site.page.get_by_role("status")).to_have_text(str(TEXTS["cancel_failed"]))
    expect(site.item(uid)).to_be_visible()
    site.is_away = False
    site.item(uid).locator("[name=read]").click()
    expect(site.item(uid).locator("[name=read]")).to_have_count(0)
    expect(site.page.locator(".notification-bell-notice")).to_have_text("")


def test_following_leads_there_and_marks_as_read(site: BellStage) -> None:
    uid = put("Your import has finished", url="/cities/")
    site.visit_bell()
    toggle(site).click()
    # Anywhere in the row.
    site.item(uid).click(position={"x": 20, "y": 40})
    site.page.wait_for_url(f"{ORIGIN}/cities/")
    assert find_state(uid) == ("ACTIVE", True)


def test_escape_and_a_click_elsewhere_close_the_bell(site: BellStage) -> None:
    put()
    site.visit_bell()
    panel = site.page.locator(".notification-bell-panel")
    toggle(site).press("Enter")
    expect(panel).to_be_visible()
    site.page.keyboard.press("Tab")
    site.page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(toggle(site)).to_be_focused()
    toggle(site).click()
    site.page.locator("main p").click()
    expect(panel).to_be_hidden()


def test_the_keyboard_reaches_everything_in_reading_order(site: BellStage) -> None:
    uid = put("This", url="/cities/")
    site.visit_bell()
    toggle(site).press("Enter")
    seen = []
    for _ in range(5):
        site.page.keyboard.press("Tab")
        seen.append(focused(site))
    assert seen == [["", "read"], [uid, "a"], [uid, "read"], [uid, "remove"], ["", "a"]]


# The page


def test_the_page_is_live_and_keeps_its_filter(site: BellStage) -> None:
    put("Read", is_read=True)
    unread = put("Unread")
    site.visit_inbox("?is_read=false")
    assert shown(site) == [unread]
    new = put("New")
    site.announce_inbox()
    expect(site.item(new)).to_be_visible()
    expect(site.page.locator(".notification-bell-number")).to_have_text(["3", "2", "1"])
    site.item(unread).locator("[name=read]").click()
    expect(site.item(unread)).to_have_count(0)
    assert shown(site) == [new]


def test_everything_can_be_removed_after_a_second_thought(site: BellStage) -> None:
    uids = [put(), put()]
    site.visit_inbox()
    expect(site.page.get_by_role("button", name="Remove 2 notifications for good")).to_be_hidden()
    site.page.get_by_text("Remove all…").click()
    site.page.get_by_role("button", name="Remove 2 notifications for good").click()
    expect(site.page.locator(".notification-bell-empty")).to_be_visible()
    assert [find_state(uid) for uid in uids] == [("REMOVED", False)] * 2


def test_page_and_bell_share_one_socket_and_one_view(site: BellStage) -> None:
    uid = put()
    site.visit_bell(main=site.render_bell())
    site.page.locator(".notification-bell-toggle").first.click()
    site.page.locator("header notification-bell [name=read]").last.click()
    site.announce_inbox()
    for bell in site.page.locator("notification-bell").all():
        expect(bell).to_have_attribute("unread", "0")
    assert (len(site.sockets), len(site.heard_of("inbox")), find_state(uid)) == (1, 1, ("ACTIVE", True))


def test_axe_finds_nothing_in_what_the_client_has_made(site: BellStage, axe: str) -> None:  # noqa: F811
    site.visit_bell()
    toggle(site).click()
    new = put("The disk is full", level="warning", url="/cities/")
    site.announce_inbox()
    expect(site.item(new)).to_be_visible()
    site.page.evaluate(f"() => {{ {axe} }}")
    assert site.page.evaluate(RUN, {"type": "tag", "values": [tag for tag in TAGS if tag != "best-practice"]}) == []
