"""``<my-tasks>`` in a real browser: what stays when rows change, what is marked as seen, and by whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from channels_progress.records import TaskState
from channels_progress.store import get_store
from channels_progress.texts import TEXTS
from tests.gallery.conftest import axe  # noqa: F401  a fixture
from tests.gallery.test_accessibility import RUN, TAGS
from tests.js.list_stage import LIST_CHANNEL, ListStage, end, start
from tests.js.stage import ORIGIN, OWNER, Stage

pytestmark = pytest.mark.browser

# A tab in the background, for the page that asks; Playwright's own pages are all in the foreground.
HIDE = """(isHidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
    document.dispatchEvent(new Event("visibilitychange"));
}"""
# What morphing does, shortest.
MORPH = """(menu, html) => {
    const fresh = document.createRange().createContextualFragment(html).querySelector("my-tasks");
    for (const { name, value } of fresh.attributes) menu.setAttribute(name, value);
    menu.replaceChildren(...fresh.childNodes);
}"""
KEEP_COUNTS = 'addEventListener("my-tasks:change", ({ detail }) => (window.told ??= []).push(detail))'


@pytest.fixture
def site(stage: Stage) -> ListStage:
    return ListStage(stage.page)


def summary(site: ListStage) -> Locator:
    return site.page.locator(".my-tasks-toggle")


def is_seen(uid: str) -> bool:
    snapshot = get_store().read(uid)
    assert snapshot
    return snapshot.record.seen


def marked(site: ListStage) -> list[dict[str, list[str]]]:
    return [parse_qs(fields) for fields in site.posts()]


def remember(row: Locator) -> Callable[[], bool]:
    """A function that tells whether the row is still the same element, and was never taken apart."""
    row.evaluate("row => { row.mark = true; row.querySelector('task-progress').mark = true; }")
    return lambda: row.evaluate("row => row.mark && row.querySelector('task-progress').mark") is True


# What changes


def test_a_task_started_elsewhere_appears(site: ListStage) -> None:
    site.visit_menu()
    expect(summary(site)).to_have_text("My tasks")
    start("a", fraction=0.5)
    site.announce()
    expect(site.row("a", "running")).to_have_count(1)
    expect(summary(site)).to_have_accessible_name("My tasks 1 running")
    expect(site.task("a")).to_have_attribute("connection", "open")
    assert site.row("a").locator('[data-progress="percent"]').text_content() == "50%"


def test_an_end_moves_the_row_and_its_element_stays(site: ListStage) -> None:
    start("a")
    start("b")
    site.visit_menu()
    expect(site.task("a")).to_have_attribute("connection", "open")
    is_same = remember(site.row("a"))
    subscribed = len(site.heard_of("subscribe"))
    end("a")
    site.announce("a")
    expect(site.row("a", "finished")).to_have_count(1)
    assert is_same()
    assert (len(site.heard_of("subscribe")), site.heard_of("unsubscribe")) == (subscribed, [])
    expect(summary(site)).to_have_accessible_name("My tasks 1 running, 1 finished while you were away")


def test_rows_stay_in_order_and_go_when_they_are_gone(site: ListStage) -> None:
    for uid in ("a", "b", "c"):
        start(uid)
    for uid in ("x", "y", "z"):
        start(uid, TaskState.FAILURE)
    site.visit_menu()
    get_store().mark("y", dismissed=True)
    get_store().mark("x", seen=True)
    end("b", TaskState.REVOKED)
    site.announce("b")
    expect(site.row("x", "recent")).to_have_count(1)
    expect(site.row("b", "finished")).to_have_count(1)
    listing = [record.uid for record in get_store().list_for(OWNER).records]
    for group in ("running", "finished", "recent"):
        shown = site.page.locator(f'[data-group="{group}"] [data-uid]').evaluate_all(
            "rows => rows.map(r => r.dataset.uid)"
        )
        assert shown == [uid for uid in listing if uid in shown]
    expect(site.row("y")).to_have_count(0)


def test_an_epoch_is_another_row(site: ListStage) -> None:
    start("a", TaskState.FAILURE)
    site.visit_menu()
    start("a")
    site.announce()
    expect(site.row("a", "running")).to_have_count(1)
    expect(site.row("a")).to_have_count(1)
    expect(site.task("a")).to_have_attribute("connection", "open")


def test_many_changes_are_few_fetches(site: ListStage) -> None:
    start("a", TaskState.SUCCESS)
    site.visit_menu()
    site.wait_until(lambda: site.heard_of("subscribe"))
    hints = []
    for number in range(20):
        start(f"t{number}")
        site.tell_all()
        hints.append(site.readings[LIST_CHANNEL])
    # At once: on a busy machine the changes themselves take longer than the page waits for more of them.
    for hint in hints:
        site.say(hint)
    expect(summary(site)).to_have_accessible_name("My tasks 20 running, 1 finished while you were away")
    assert site.row_fetches() <= 3


def test_a_hint_that_is_shown_already_fetches_nothing(site: ListStage) -> None:
    site.page.clock.install()
    start("a")
    site.visit_menu()
    expect(site.task("a")).to_have_attribute("connection", "open")
    site.say(site.readings[LIST_CHANNEL])
    # Fetched for another reason, the rows are as new as what is said of them afterwards.
    start("b")
    end("a")
    site.say(site.tell("a"))
    expect(site.row("b", "running")).to_have_count(1)
    site.announce()
    # Said after it, and shown: so that was heard, too.
    get_store().request_cancel("b")
    site.say(site.tell("b"))
    expect(site.task("b")).to_have_attribute("cancelling", "")
    site.page.clock.run_for(5_000)
    assert site.row_fetches() == 1


def test_a_list_that_cannot_be_fetched_is_fetched_later(site: ListStage) -> None:
    site.visit_menu()
    site.is_away = True
    start("a")
    site.announce()
    site.wait_until(lambda: site.row_fetches() == 1)
    site.is_away = False
    expect(site.row("a", "running")).to_have_count(1)


def test_what_changed_while_the_connection_was_lost_is_found(site: ListStage) -> None:
    start("a")
    site.visit_menu()
    expect(site.task("a")).to_have_attribute("connection", "open")
    site.cut()
    end("a")
    start("b")
    site.tell_all()
    expect(site.row("b", "running")).to_have_count(1)
    expect(site.row("a", "finished")).to_have_count(1)


def test_markup_out_of_a_cache_is_brought_up_to_date(site: ListStage) -> None:
    site.visit_menu()
    menu = site.page.locator("my-tasks")
    cached = menu.evaluate("menu => menu.outerHTML")
    start("a")
    site.announce()
    expect(site.row("a", "running")).to_have_count(1)
    menu.evaluate("(menu, cached) => (menu.outerHTML = cached)", cached)
    expect(site.row("a", "running")).to_have_count(1)


def test_a_list_morphed_into_one_that_can_be_followed_is_followed(site: ListStage) -> None:
    site.visit_menu()
    menu = site.page.locator("my-tasks")
    start("a")
    fresh = site.render_menu()
    site.page.evaluate(
        """() => {
            const menu = document.querySelector("my-tasks").cloneNode(true);
            menu.removeAttribute("token");
            menu.querySelector("[data-lists]").dataset.lists = "[]";
            document.querySelector("my-tasks").replaceWith(menu);
        }"""
    )
    site.wait_until(lambda: site.heard_of("unsubscribe"))
    menu.evaluate(MORPH, fresh)
    start("b")
    site.announce()
    expect(site.row("b", "running")).to_have_count(1)
    assert [frame["channel"] for frame in site.heard_of("subscribe")].count(LIST_CHANNEL) == 2


def test_a_list_that_is_gone_asks_no_more(site: ListStage) -> None:
    asked: list[Route] = []
    site.page.clock.install()
    site.visit_menu()
    site.page.route("**/tasks/mine/**", lambda route: asked.append(route))
    start("a")
    site.announce()
    site.wait_until(lambda: asked or site.page.clock.run_for(100))
    site.page.locator("my-tasks").evaluate("menu => menu.remove()")
    asked[0].abort()
    site.page.clock.run_for(60_000)
    assert len(asked) == 1


def test_other_buttons_in_rows_are_left_alone(site: ListStage) -> None:
    start("a")
    site.visit_menu()
    summary(site).click()
    button = '<button name="priority" value="1" formaction="/elsewhere/">Hurry</button>'
    site.row("a").evaluate("(row, button) => row.insertAdjacentHTML('beforeend', button)", button)
    site.page.get_by_role("button", name="Hurry").click()
    site.page.wait_for_url("**/elsewhere/")
    assert site.posts() == []


def test_without_a_socket_the_list_is_polled(site: ListStage) -> None:
    site.is_socket_open = False
    site.visit_menu()
    start("a")
    expect(site.row("a", "running")).to_have_count(1)
    end("a")
    expect(site.row("a", "finished")).to_have_count(1)


def test_counts_are_told_to_the_site(site: ListStage) -> None:
    site.page.add_init_script(KEEP_COUNTS)
    start("a")
    site.visit_menu()
    end("a")
    site.announce("a")
    expect(site.row("a", "finished")).to_have_count(1)
    assert site.page.evaluate("told") == [
        {"running": 1, "unseen": 0, "ended": 0, "total": 1},
        {"running": 0, "unseen": 1, "ended": 1, "total": 1},
    ]
    assert site.page.evaluate("document.querySelector('my-tasks').counts") == site.page.evaluate("told.at(-1)")


def test_rows_do_not_speak_to_the_page(site: ListStage) -> None:
    site.page.add_init_script("""
        window.heard = [];
        for (const name of ["update", "done"])
            addEventListener(`task-progress:${name}`, ({ target }) => heard.push(target.className));
    """)
    start("a")
    site.visit_menu("a")
    expect(site.page.locator("main task-progress")).to_have_attribute("connection", "open")
    end("a")
    site.announce("a")
    expect(site.row("a", "recent")).to_have_count(1)
    assert set(site.page.evaluate("heard")) == {"task-progress"}


def test_a_task_stands_on_the_page_and_in_the_list(site: ListStage) -> None:
    start("a")
    site.visit_menu("a")
    big = site.page.locator("main task-progress")
    expect(big).to_have_attribute("connection", "open")
    end("a")
    site.say(site.tell("a"))
    expect(big).to_have_attribute("state", "SUCCESS")
    expect(site.row("a").locator("task-progress")).to_have_attribute("state", "SUCCESS")
    assert len(site.sockets) == 1


# Seen


def test_opening_marks_what_has_ended_once(site: ListStage) -> None:
    start("a", TaskState.SUCCESS)
    start("b", TaskState.FAILURE)
    start("c")
    site.visit_menu()
    assert site.posts() == []
    summary(site).click()
    expect(summary(site)).to_have_accessible_name("My tasks 1 running")
    summary(site).click()
    summary(site).click()
    site.wait_until(lambda: site.row_fetches() >= 2)
    assert [sorted(fields["uid"]) for fields in marked(site)] == [["a", "b"]]
    assert (is_seen("a"), is_seen("b"), is_seen("c")) == (True, True, False)


def test_news_stay_where_they_are_until_the_list_is_closed(site: ListStage) -> None:
    start("a", TaskState.SUCCESS)
    site.visit_menu()
    summary(site).click()
    site.wait_until(lambda: site.row_fetches() == 1)
    expect(summary(site)).to_have_accessible_name("My tasks")
    expect(site.row("a", "finished")).to_be_visible()
    site.page.keyboard.press("Escape")
    expect(site.row("a", "recent")).to_have_count(1)


def test_what_ends_before_open_eyes_is_seen(site: ListStage) -> None:
    start("a")
    site.visit_menu()
    summary(site).click()
    end("a")
    site.announce("a")
    expect(site.row("a", "recent")).to_be_visible()
    expect(site.row("a").get_by_role("button", name="Dismiss Import a")).to_be_visible()
    assert is_seen("a")


def test_a_closed_list_marks_nothing(site: ListStage) -> None:
    start("a")
    site.visit_menu()
    end("a")
    site.announce("a")
    expect(site.row("a", "finished")).to_have_count(1)
    assert (site.posts(), is_seen("a")) == ([], False)


def test_a_row_that_moves_as_the_list_is_closed_is_there_when_it_is_opened_again(site: ListStage) -> None:
    for uid in ("a", "b", "c"):
        start(uid)
    end("c")
    get_store().mark("c", seen=True)
    site.visit_menu()
    summary(site).click()
    expect(site.row("a", "running")).to_be_visible()
    menu = site.page.locator(".my-tasks-menu")
    menu.evaluate("menu => addEventListener('my-tasks:change', () => { menu.open = false; }, { once: true })")
    end("a")
    # It moves once, to where another row stands: Chromium would not draw it again.
    get_store().mark("a", seen=True)
    site.announce()
    expect(site.row("a", "recent")).to_have_count(1)
    expect(menu).not_to_have_attribute("open", "")
    summary(site).click()
    expect(site.row("a", "recent")).to_be_visible()


def test_a_tab_in_the_background_marks_nothing_until_it_is_looked_at(site: ListStage) -> None:
    start("a", TaskState.SUCCESS)
    site.page.add_init_script(f"({HIDE})(true)")
    site.visit_list()
    expect(site.row("a").locator(".my-tasks-new")).to_be_visible()
    # Requests are sent in turn.
    site.page.evaluate("customElements.whenDefined('my-tasks').then(() => fetch('/tasks/mine/')).then(() => null)")
    assert site.posts() == []
    site.page.evaluate(HIDE, False)
    site.wait_until(lambda: is_seen("a"))


def test_the_list_page_marks_what_it_shows(site: ListStage) -> None:
    start("a", TaskState.SUCCESS)
    start("b", TaskState.FAILURE)
    site.visit_list("?state=failed")
    site.wait_until(lambda: is_seen("b"))
    assert not is_seen("a")
    site.wait_until(lambda: site.row_fetches() == 1)
    expect(site.row("b").locator(".my-tasks-new")).to_be_visible()


def test_the_page_of_the_task_marks_its_end(site: ListStage) -> None:
    start("a")
    site.visit("a")
    expect(site.task("a")).to_have_attribute("connection", "open")
    assert site.posts() == []
    end("a")
    site.say(site.tell("a"))
    site.wait_until(lambda: is_seen("a"))
    assert marked(site) == [{"action": ["seen"], "uid": ["a"]}]


def test_a_page_opened_after_the_end_marks_it(site: ListStage) -> None:
    start("a", TaskState.FAILURE)
    site.tell("a")
    site.visit("a")
    site.wait_until(lambda: is_seen("a"))


def test_an_end_is_marked_though_a_redirect_follows(site: ListStage) -> None:
    start("a")
    site.visit("a")
    expect(site.task("a")).to_have_attribute("connection", "open")
    end("a", body='{"redirect": "/cities/"}')
    site.say(site.tell("a"))
    site.page.wait_for_url(f"{ORIGIN}/cities/")
    site.wait_until(lambda: is_seen("a"))


def test_the_page_of_a_task_in_the_background_waits_for_its_reader(site: ListStage) -> None:
    start("a")
    site.visit("a")
    expect(site.task("a")).to_have_attribute("connection", "open")
    site.page.evaluate(HIDE, True)
    end("a")
    site.say(site.tell("a"))
    expect(site.task("a")).to_have_attribute("state", "SUCCESS")
    assert site.posts() == []
    site.page.evaluate(HIDE, False)
    site.wait_until(lambda: is_seen("a"))


@pytest.mark.parametrize("options", [{"compact": True}, {"headless": True}])
def test_only_the_whole_element_marks(site: ListStage, options: dict[str, Any]) -> None:
    start("a")
    site.visit("a", **options)
    expect(site.task("a")).to_have_attribute("connection", "open")
    end("a")
    site.say(site.tell("a"))
    expect(site.task("a")).to_have_attribute("state", "SUCCESS")
    assert site.posts() == []


# Two tabs


@pytest.fixture
def other(site: ListStage) -> ListStage:
    """Another tab of the same browser."""
    page: Page = site.page.context.new_page()
    return ListStage(page)


def test_what_is_dismissed_in_one_tab_goes_in_the_other(site: ListStage, other: ListStage) -> None:
    start("a", TaskState.SUCCESS)
    start("b")
    for tab in (site, other):
        tab.visit_menu()
    summary(site).click()
    expect(site.row("a", "finished")).to_be_visible()
    site.row("a").get_by_role("button").click()
    expect(site.row("a")).to_have_count(0)
    other.announce()
    expect(other.row("a")).to_have_count(0)
    site.visit_menu()
    expect(site.row("b", "running")).to_have_count(1)
    expect(site.row("a")).to_have_count(0)


def test_what_is_seen_in_one_tab_is_seen_in_the_other(site: ListStage, other: ListStage) -> None:
    start("a", TaskState.SUCCESS)
    for tab in (site, other):
        tab.visit_menu()
    expect(summary(other)).to_have_accessible_name("My tasks 1 finished while you were away")
    summary(site).click()
    site.wait_until(lambda: is_seen("a"))
    other.announce()
    expect(summary(other)).to_have_accessible_name("My tasks")
    expect(other.row("a", "recent")).to_have_count(1)
    assert other.posts() == []


# Hands, keys, and what they are on


def test_focus_goes_to_the_next_row_when_one_is_dismissed(site: ListStage) -> None:
    for uid in ("a", "b", "c"):
        start(uid, TaskState.SUCCESS)
        get_store().mark(uid, seen=True)
    site.visit_menu()
    summary(site).click()
    first, second = (site.page.locator(".my-tasks-dismiss").nth(index) for index in (0, 1))
    name = second.get_attribute("aria-label")
    first.focus()
    site.page.keyboard.press("Enter")
    expect(site.page.locator(".my-tasks-dismiss")).to_have_count(2)
    expect(site.page.locator(":focus")).to_have_attribute("aria-label", str(name))


def test_a_dismissal_that_fails_is_said_and_undone(site: ListStage) -> None:
    start("a", TaskState.SUCCESS)
    get_store().mark("a", seen=True)
    site.visit_menu()
    summary(site).click()
    site.is_away = True
    site.row("a").get_by_role("button").click()
    expect(site.page.get_by_text(str(TEXTS["cancel_failed"]))).to_be_visible()
    expect(site.row("a")).to_be_visible()


def test_all_finished_are_dismissed_on_the_list_page(site: ListStage) -> None:
    start("a", TaskState.SUCCESS)
    start("b")
    site.visit_list()
    site.page.get_by_role("button", name="Dismiss all finished").click()
    expect(site.row("a")).to_have_count(0)
    expect(site.row("b")).to_be_visible()
    expect(site.page.get_by_role("button", name="Dismiss all finished")).to_have_count(0)


def test_focus_and_the_open_panel_survive_a_change(site: ListStage) -> None:
    start("a")
    site.visit_menu()
    summary(site).click()
    site.row("a").get_by_role("link").focus()
    start("b")
    end("a")
    site.announce("a")
    expect(site.row("a", "recent")).to_be_visible()
    expect(site.row("b", "running")).to_be_visible()
    expect(site.row("a").get_by_role("link")).to_be_focused()


def test_focus_stays_on_a_link_that_is_replaced(site: ListStage) -> None:
    start("a")
    site.visit_list()
    link = site.page.get_by_role("link", name="Waiting and running")
    link.focus()
    start("b")
    site.announce()
    expect(link).to_have_accessible_name("Waiting and running 2")
    expect(link).to_be_focused()


def test_escape_and_a_click_outside_close_the_panel(site: ListStage) -> None:
    site.visit_menu()
    menu = site.page.locator(".my-tasks-menu")
    summary(site).click()
    site.page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(summary(site)).to_be_focused()
    summary(site).press("Enter")
    expect(menu).to_have_attribute("open", "")
    site.page.mouse.click(5, 700)
    expect(menu).not_to_have_attribute("open", "")


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("width", [320, 768, 1280])
def test_the_panel_fits_wherever_its_button_stands(site: ListStage, width: int, side: str) -> None:
    start("a", title="An import with quite a long title that must not push anything out of the page")
    site.page.set_viewport_size({"width": width, "height": 700})
    site.visit_menu()
    site.page.add_style_tag(content=f"header {{ display: flex; justify-content: {side}; padding: 1rem; }}")
    summary(site).click()
    box = site.page.locator(".my-tasks-panel").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert site.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(site: ListStage, axe: str, scheme: Any) -> None:  # noqa: F811
    for uid, state in [
        ("a", TaskState.PROGRESS),
        ("b", TaskState.PENDING),
        ("c", TaskState.FAILURE),
        ("d", TaskState.REVOKED),
    ]:
        start(uid, state)
    start("e", TaskState.SUCCESS)
    get_store().mark("e", seen=True)
    site.page.emulate_media(color_scheme=scheme)
    options = {"type": "tag", "values": TAGS}
    site.visit_menu()
    # The rig's page has no heading and no landmarks around the list.
    site.page.evaluate(
        "document.querySelector('main').append(Object.assign(document.createElement('h1'), { textContent: 'Page' }))"
    )
    site.page.evaluate(f"() => {{ {axe} }}")
    closed = site.page.evaluate(RUN, options)
    summary(site).click()
    expect(summary(site)).to_have_accessible_name("My tasks 2 running")
    opened = site.page.evaluate(RUN, options)
    site.visit_list()
    site.page.evaluate(f"() => {{ {axe} }}")
    assert (closed, opened, site.page.evaluate(RUN, options)) == ([], [], [])


def test_without_javascript_it_is_a_disclosure_with_links(site: ListStage) -> None:
    start("a", TaskState.SUCCESS)
    site.page.route("**/*.js", lambda route: route.abort())
    site.visit_menu()
    summary(site).click()
    expect(site.row("a").get_by_role("link", name="Import a")).to_be_visible()
    expect(site.page.get_by_role("link", name="Show all")).to_have_attribute("href", "/tasks/")
    assert site.posts() == []
    assert not is_seen("a")
