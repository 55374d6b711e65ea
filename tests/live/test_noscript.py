"""The built-in page in a browser that runs no JavaScript."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from example_project.stack import Stack
from tests.live.conftest import LogIn, cancel_all


@pytest.fixture
def plain(log_in: LogIn) -> Page:
    return log_in("ben", java_script_enabled=False)


def test_page_is_kept_up_to_date_until_the_task_is_cancelled(plain: Page) -> None:
    plain.locator("#pack-form button").click()
    count = plain.locator("main [data-progress=count]")
    expect(count).not_to_be_empty()
    expect(count).not_to_have_text(count.inner_text())
    plain.get_by_role("button", name="Cancel").click()
    plain.wait_for_url(re.compile("/tasks/[^/]+/$"))
    expect(plain.locator("main [data-progress=status]")).to_have_text("Cancelled")
    expect(plain.locator("main [data-progress=messages]")).to_contain_text("Removed the unfinished archive")
    expect(plain.locator("noscript meta")).to_have_count(0)


def test_reader_can_stop_the_reloads_and_have_them_back(plain: Page) -> None:
    plain.locator("#later-form button").click()
    expect(plain.locator("noscript meta")).to_have_attribute("content", re.compile(r"^\d+$"))
    plain.get_by_role("link", name="Stop that").click()
    expect(plain.locator("noscript meta")).to_have_count(0)
    plain.get_by_role("button", name="Cancel").click()
    expect(plain.locator("main [data-progress=status]")).to_have_text("Cancelled")
    assert plain.url.endswith("?reload=off")


def test_end_is_shown_with_its_link_and_leads_nowhere_by_itself(plain: Page, stack: Stack) -> None:
    plain.locator("#import-form button").click()
    task = plain.url
    link = plain.get_by_role("link", name="Continue")
    expect(link).to_be_visible()
    expect(plain.locator("main [data-progress=status]")).to_have_text("Done")
    expect(plain.locator("main [data-progress=messages] li")).to_have_count(4)
    assert plain.url == task
    link.click()
    plain.wait_for_url(f"{stack.url}/cities/")


def test_list_of_tasks_opens_and_dismisses(plain: Page, stack: Stack) -> None:
    plain.locator("#receipts-form button").click()
    expect(plain.locator("main [data-progress=status]")).to_have_text("Failed")
    uid = plain.url.rstrip("/").rpartition("/")[2]
    plain.goto("/")
    menu = plain.locator("header my-tasks")
    menu.locator("summary").click()
    expect(menu.locator(f"[data-uid='{uid}']")).to_contain_text("Failed")
    menu.get_by_role("link", name="Show all").click()
    row = plain.locator(f"main [data-uid='{uid}']")
    row.get_by_role("button", name="Dismiss Add up the receipts").click()
    expect(row).to_have_count(0)
    assert plain.url == f"{stack.url}/tasks/"


def test_page_of_ones_own_leads_to_the_tasks_page(plain: Page) -> None:
    plain.locator("#several-form button").click()
    plain.get_by_role("link", name="Follow it on a page of its own").nth(3).click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Look for a lucky number")
    cancel_all(plain)
