"""The bell of the example site: an import has finished, and whoever started it has left."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from example_project.stack import Stack
from tests.live.conftest import LogIn
from tests.live.test_import import start_import

NEWS = re.compile(r"Your import has finished: 34,003 cities\.")


def empty(page: Page) -> None:
    """Whatever other tests have left there goes."""
    page.goto("/tasks/inbox/")
    if page.get_by_text("Remove all…").count():
        page.get_by_text("Remove all…").click()
        page.locator(".notification-bell-remove-all").click()
    expect(page.locator("main .notification-bell-empty")).to_be_visible()


def bell(page: Page) -> Locator:
    return page.locator("header notification-bell")


def test_who_has_left_is_told_on_every_device_and_reads_it_once(log_in: LogIn, stack: Stack) -> None:
    page, phone = log_in("ben"), log_in("ben")
    empty(page)
    page.goto("/")
    start_import(page)
    page.goto("/cities/")
    for each in (page, phone):
        expect(bell(each)).to_have_attribute("unread", "1")
    page.locator(".notification-bell-toggle").click()
    page.locator("header").get_by_role("link", name=NEWS).click()
    page.wait_for_url(f"{stack.url}/cities/")
    expect(bell(page)).to_have_attribute("unread", "0")
    expect(bell(phone)).to_have_attribute("unread", "0")


def test_who_stays_is_not_told(log_in: LogIn, stack: Stack) -> None:
    page, phone = log_in("ben"), log_in("ben")
    empty(page)
    page.goto("/")
    first = start_import(page)
    page.wait_for_url(f"{stack.url}/cities/")
    # The other import is not looked at: once that is told, the first one would have been.
    page.goto("/")
    assert start_import(page) != first
    page.goto("/broadcasts/")
    expect(bell(phone)).to_have_attribute("unread", "1")
    phone.goto("/tasks/inbox/")
    expect(phone.locator("main").get_by_role("link", name=NEWS)).to_have_count(1)


def test_the_inbox_works_without_javascript(log_in: LogIn) -> None:
    page = log_in("ada")
    empty(page)
    page.goto("/")
    start_import(page)
    page.goto("/broadcasts/")
    expect(bell(page)).to_have_attribute("unread", "1")
    plain = log_in("ada", java_script_enabled=False)
    plain.goto("/broadcasts/")
    plain.locator(".notification-bell-toggle").click()
    plain.get_by_role("link", name="Show all").last.click()
    plain.locator("main .notification-bell-read").click()
    expect(plain.locator("main .notification-bell-row")).to_have_count(1)
    expect(plain.locator("main [data-unread]")).to_have_count(0)
    plain.locator("main .notification-bell-remove").click()
    expect(plain.locator("main .notification-bell-empty")).to_be_visible()
    expect(bell(page)).to_have_attribute("unread", "0")
