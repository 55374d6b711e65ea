"""A person's own tasks in the header of the example site, and on their page."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from example_project.stack import Stack
from tests.live.conftest import LogIn


def start_packing(page: Page) -> str:
    """Start a task that takes a while; the address of its page."""
    page.goto("/")
    page.locator("#pack-form button").click()
    page.wait_for_url(re.compile("/tasks/.+/"))
    return page.url


def find_row(page: Page, url: str, inside: str = "") -> Locator:
    uid = url.rstrip("/").rpartition("/")[2]
    return page.locator(f'header my-tasks {inside} [data-uid="{uid}"]')


def open_list(page: Page) -> None:
    page.locator("header .my-tasks-toggle").click()


def test_a_task_of_one_tab_lives_and_ends_in_the_other(log_in: LogIn, stack: Stack) -> None:
    first = log_in("ada")
    second = first.context.new_page()
    second.goto("/cities/")
    sockets: list[str] = []
    first.on("websocket", lambda socket: sockets.append(socket.url))
    url = start_packing(first)
    row = find_row(second, url, '[data-group="running"]')
    expect(row.locator("task-progress")).to_have_attribute("connection", "open")
    open_list(second)
    expect(row.locator("[data-progress=percent]")).not_to_be_empty()
    open_list(second)
    first.goto("/cities/")
    second.goto(url)
    second.locator("main task-progress").get_by_role("button", name="Cancel").click()
    # Seen on its own page, so it is no news in the other tab.
    expect(find_row(first, url, '[data-group="recent"]')).to_have_count(1)
    open_list(first)
    find_row(first, url).get_by_role("button", name=re.compile("Dismiss")).click()
    expect(find_row(first, url)).to_have_count(0)
    expect(find_row(second, url)).to_have_count(0)
    first.reload()
    expect(find_row(first, url)).to_have_count(0)
    # One for each page that was open in this tab: the start, the task's, the cities, and these again.
    assert len(sockets) == 4


def test_what_ends_while_nobody_looks_is_news_until_it_is_looked_at(log_in: LogIn) -> None:
    page, phone = log_in("ben"), log_in("ben")
    url = start_packing(page)
    token = page.locator('main input[name="csrfmiddlewaretoken"]').get_attribute("value")
    page.goto("/cities/")
    expect(find_row(page, url, '[data-group="running"]')).to_have_count(1)
    answer = page.request.post(f"{url}cancel/", headers={"X-CSRFToken": token or "", "Referer": page.url})
    assert answer.ok
    for each in (page, phone):
        expect(find_row(each, url, '[data-group="finished"]')).to_have_count(1)
    page.reload()
    expect(find_row(page, url, '[data-group="finished"]')).to_have_count(1)
    open_list(page)
    expect(find_row(page, url)).to_be_visible()
    expect(find_row(phone, url, '[data-group="recent"]')).to_have_count(1)


def test_the_list_has_a_page_that_works_without_javascript(log_in: LogIn) -> None:
    page = log_in("ada")
    url = start_packing(page)
    plain = log_in("ada", java_script_enabled=False)
    plain.goto("/")
    open_list(plain)
    plain.get_by_role("link", name="Show all").click()
    plain.get_by_role("link", name=re.compile("Waiting and running")).click()
    link = plain.locator(f'main [data-uid="{url.rstrip("/").rpartition("/")[2]}"]').get_by_role("link")
    link.click()
    plain.wait_for_url(url)
    plain.locator("main").get_by_role("button", name="Cancel").click()
    expect(page.locator("main task-progress")).to_have_attribute("state", "REVOKED")
    plain.goto("/tasks/?state=cancelled")
    row = plain.locator(f'main [data-uid="{url.rstrip("/").rpartition("/")[2]}"]')
    row.get_by_role("button", name=re.compile("Dismiss")).click()
    plain.wait_for_url(re.compile(r"/tasks/\?state=cancelled$"))
    expect(row).to_have_count(0)
