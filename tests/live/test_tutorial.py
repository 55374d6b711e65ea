"""The tutorial, as it stands there, from an empty folder; a browser goes where the text says."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browsers import close_context, run_context
from tests.live.conftest import PAGE_TIMEOUT_MS
from tests.live.documents import read_chapters
from tests.live.following import Follower
from tests.live.projects import run_project
from tests.live.watching import note_updates, read_notes
from tests.live.windows import Window
from tests.tooling import ROOT

# Chapters are followed a few at a time: each stop takes a new worker and a new runserver.
TUTORIAL = ROOT / "docs" / "tutorial.md"
SITE_THERE = "http://127.0.0.1:8000"
REDIS_THERE = "redis://localhost:6379/0"


@pytest.fixture(scope="module")
def follower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Follower]:
    with run_project(tmp_path_factory.mktemp("tutorial")) as project:
        yield Follower(read_chapters(TUTORIAL), project, {REDIS_THERE: project.redis_url, SITE_THERE: project.url})


@pytest.fixture
def page(browser: Browser, follower: Follower) -> Iterator[Page]:
    """A new visitor's."""
    context = browser.new_context(base_url=follower.project.url)
    context.set_default_timeout(PAGE_TIMEOUT_MS)
    yield context.new_page()
    close_context(context)


def export(page: Page, count: int) -> Locator:
    """Fill in the form and press the button; the task on the page that follows, apart from those in its header."""
    page.goto("/")
    page.get_by_label("Orders").fill(str(count))
    page.get_by_role("button", name="Export").click()
    return page.locator("task-progress:not(my-tasks *)")


def expect_success(task: Locator) -> None:
    expect(task).to_have_attribute("state", "SUCCESS", timeout=PAGE_TIMEOUT_MS)


def expect_status(task: Locator, status: str | re.Pattern[str]) -> None:
    expect(task.locator("[data-progress=status]")).to_have_text(status, timeout=PAGE_TIMEOUT_MS)


def test_extras_that_it_installs_are_ours() -> None:
    [extras] = re.findall(r'\$ pip install "channels-progress\[(.+)\]"', TUTORIAL.read_text())
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras.split(",")) <= set(ours)


def test_bar_is_seen_to_move_to_its_end(follower: Follower, page: Page) -> None:
    follower.follow_to("Watch it")
    note_updates(page)
    task = export(page, 300)
    page.wait_for_url(re.compile("/tasks/"))
    expect_success(task)
    bars = [float(note["bar"]) for note in read_notes(page) if note["bar"] is not None]
    assert all(earlier <= later for earlier, later in pairwise(bars))
    assert len(set(bars)) >= 5
    expect_status(task, "Done")
    expect(task.locator("[data-progress=count]")).to_have_text(re.compile("300 of 300"))
    assert len((follower.project.folder / "orders-300.csv").read_text().splitlines()) == 300


def test_messages_counter_and_stages_are_shown(follower: Follower, page: Page) -> None:
    follower.follow_to("Stages")
    note_updates(page)
    task = export(page, 200)
    expect_success(task)
    stages = [note["stage"] for note in read_notes(page) if note["stage"]]
    assert list(dict.fromkeys(stages)) == ["Step 1 of 2: Collect", "Step 2 of 2: Write"]
    lines = [re.compile(f"Warning: Order {number} has no address.") for number in (13, 113)]
    expect(task.locator("[data-progress=messages] li")).to_have_text(lines)
    expect(task.locator("[data-progress=counters]")).to_have_text(re.compile("skipped.*2", re.DOTALL))


def test_cancelled_export_leaves_no_file(follower: Follower, page: Page) -> None:
    follower.follow_to("Where it leads")
    task = export(page, 1000)
    expect(task.locator("[data-progress=stage]")).to_have_text("Step 2 of 2: Write", timeout=PAGE_TIMEOUT_MS)
    task.get_by_role("button", name="Cancel").click()
    expect_status(task, "Cancelled")
    assert not (follower.project.folder / "orders-1000.csv").exists()


def test_failed_export_tells_its_public_text(follower: Follower, page: Page) -> None:
    follower.follow_to("Where it leads")
    task = export(page, 6000)
    expect_status(task, "Failed")
    expect(task.locator("[data-progress=reason]")).to_have_text("At most 5,000 orders fit into one file.")


def test_success_leads_to_the_file(follower: Follower, page: Page) -> None:
    follower.follow_to("Where it leads")
    with page.expect_download() as downloading:
        task = export(page, 200)
    assert downloading.value.suggested_filename == "orders-200.csv"
    expect_status(task, "Done")
    page.reload()
    expect(task.get_by_role("link", name="Continue")).to_be_visible()


def test_retry_is_shown_with_its_countdown(follower: Follower, page: Page) -> None:
    follower.follow_to("On a page of your own, for its owner")
    page.goto("/")
    page.get_by_role("button", name="Update prices").click()
    task = page.locator("task-progress")
    expect_status(task, re.compile("Trying again in 0:0[123]"))
    expect_success(task)


def test_own_page_shows_the_task_to_its_owner_alone(follower: Follower, page: Page, browser: Browser) -> None:
    follower.follow_to("On a page of your own, for its owner")
    expect_success(export(page, 100))
    page.wait_for_url(re.compile(r"/\?task="))
    with run_context(browser) as private:
        visitor = private.new_page()
        visitor.goto(page.url)
        expect(visitor.get_by_text("This task is not available.")).to_be_visible()
        expect(visitor.locator("task-progress")).to_have_count(0)


def test_task_is_found_again_from_every_page(follower: Follower, page: Page) -> None:
    follower.follow_to("To production")
    export(page, 300)
    page.wait_for_url(re.compile(r"/\?task="))
    tab = page.context.new_page()
    tab.goto("/")
    tab.get_by_text("My tasks").click()
    row = tab.locator("my-tasks task-progress")
    expect(row.get_by_role("link", name="Export of orders")).to_be_visible()
    expect(row).to_have_attribute("state", "PROGRESS")
    expect_success(row)
    tab.goto("/tasks/")
    expect(tab.locator("header my-tasks")).to_be_visible()
    expect(tab.locator("main task-progress, .my-tasks-page task-progress")).to_have_count(1)


def test_staff_find_a_visitors_task(follower: Follower, page: Page, browser: Browser) -> None:
    follower.follow_to("To production")
    expect_success(export(page, 20))
    with run_context(browser, base_url=follower.project.url) as context:
        staff = context.new_page()
        staff.goto("/admin/")
        staff.get_by_label("Username").fill("ada")
        staff.get_by_label("Password").fill("secret")
        staff.get_by_role("button", name="Log in").click()
        staff.get_by_role("link", name="Tasks", exact=True).click()
        staff.get_by_role("link", name="Export of orders").first.click()
        expect_success(staff.locator("task-progress").first)


def test_a_word_to_everybody_is_shown_on_an_open_page(follower: Follower, page: Page) -> None:
    follower.follow_to("To production")
    window = Window(page)
    window.visit("/")
    command = ("send_notification", "--audience", "all", "--level", "warning", "Back in 5 minutes")
    follower.project.do("send", "manage.py", *command)
    window.expect_messages("Back in 5 minutes")


def test_chapters_to_the_last_can_be_followed(follower: Follower) -> None:
    follower.follow_to("To production")
    assert follower.left == []
    assert [line.split()[0] for line in follower.skipped] == ["pip", "redis-server"]
