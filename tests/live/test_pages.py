"""The other pages of the example site in a browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from example_project.stack import Stack
from tests.live.conftest import LogIn
from tests.waiting import wait_until


def hash_tree(page: Page) -> tuple[str, str]:
    """Hash a small tree to its end; the addresses of the task's page and of the result.

    Where ``page`` is afterwards depends: a task may be over before its page is open, which then stays.
    """
    page.locator("#hash-form select").select_option("checkout")
    page.locator("#hash-form button").click()
    page.wait_for_url(re.compile("/tasks/"))
    url = page.url

    def read_redirect() -> str:
        state = page.request.get(url, params={"format": "json"}).json()["state"]
        return state["state"] == "SUCCESS" and state["redirect"]

    return url, wait_until(read_redirect, message="the hash is not done")


def test_hashing_counts_bytes_and_leads_to_the_checksum(log_in: LogIn) -> None:
    page = log_in("ada")
    url, result = hash_tree(page)
    page = page.context.new_page()
    page.goto(result)
    expect(page.locator("code")).to_have_text(re.compile("^[0-9a-f]{64}$"))
    page.goto(url)
    expect(page.locator("main [data-progress=count]")).to_have_text(re.compile(r"\d (KB|MB|GB)"))


def test_checksum_of_somebody_else_is_not_found(log_in: LogIn) -> None:
    ada, ben = log_in("ada"), log_in("ben")
    _, result = hash_tree(ada)
    assert [page.request.get(result).status for page in (ada, ben)] == [200, 404]


def test_staff_find_the_result_in_the_admin_and_others_see_no_link(log_in: LogIn) -> None:
    ada, ben = log_in("ada"), log_in("ben")
    (url_of_ada, _), (url_of_ben, _) = hash_tree(ada), hash_tree(ben)
    ada, ben = ada.context.new_page(), ben.context.new_page()
    ben.goto(url_of_ben)
    expect(ben.locator("main task-progress")).to_have_attribute("state", "SUCCESS")
    expect(ben.get_by_role("link", name="Result and traceback")).to_have_count(0)
    ada.goto(url_of_ada)
    ada.get_by_role("link", name="Result and traceback").click()
    uid = url_of_ada.rstrip("/").rpartition("/")[2]
    expect(ada.locator("body")).to_contain_text(uid)
    expect(ada.locator("body")).to_contain_text("example_project.files.tasks.hash_tree")


def test_password_form_logs_in_and_log_out_logs_out(log_in: LogIn, stack: Stack) -> None:
    page = log_in("ben")
    page.get_by_role("button", name="Log out").click()
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("ada-demo")
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url(f"{stack.url}/")
    expect(page.get_by_role("link", name="Everybody’s tasks", exact=True)).to_be_visible()


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_colours_follow_the_system(log_in: LogIn, color_scheme: str) -> None:
    page = log_in("ada", color_scheme=color_scheme)
    red, green, blue = re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (int(red) + int(green) + int(blue) > 3 * 128) == (color_scheme == "light")


def test_log_keeps_the_newest_lines_and_says_that_older_ones_are_gone(log_in: LogIn) -> None:
    page = log_in("ada")
    page.locator("#pack-form select").select_option("checkout")
    page.locator("#pack-form button").click()
    task = page.locator("main task-progress")
    expect(task).to_have_attribute("state", "SUCCESS", timeout=60_000)
    for visit in (lambda: None, page.reload):
        visit()
        lines = task.locator("[data-progress=messages] li")
        expect(lines).to_have_count(100)
        expect(lines.last).to_contain_text("Packed into")
        expect(task.locator(".task-progress-gap")).to_have_text("Older messages are no longer available.")


def test_reload_in_the_middle_goes_on_where_it_was(log_in: LogIn) -> None:
    page = log_in("ada")
    page.locator("#pack-form button").click()
    task = page.locator("main task-progress")
    lines, bar = task.locator("[data-progress=messages] li"), task.locator("[data-progress=bar]")
    expect(lines.nth(20)).to_be_attached()
    before = float(bar.get_attribute("value") or 0)
    page.reload(wait_until="commit")
    # The page has it all, whether or not the client runs yet.
    assert float(bar.get_attribute("value") or 0) >= before > 0
    expect(lines.nth(20)).to_be_attached()
    newest = lines.last.inner_text()
    expect(lines.last).not_to_have_text(newest)
    task.get_by_role("button", name="Cancel").click()
    expect(task).to_have_attribute("state", "REVOKED")


def test_retries_are_counted_and_counted_down_until_one_succeeds(log_in: LogIn) -> None:
    page = log_in("ada")
    page.locator("#rates-form button").click()
    task = page.locator("main task-progress")
    expect(task.locator("[data-progress=status]")).to_have_text(re.compile(r"Trying again in 0:0\d"))
    expect(task.locator("[data-progress=attempt]")).to_have_text("Attempt 2")
    expect(task).to_have_attribute("state", "SUCCESS", timeout=60_000)
    expect(task.locator("[data-progress=attempt]")).to_have_text("Attempt 3")
    expect(task.locator("[data-progress=messages] li[data-level=warning]")).to_have_count(2)


def test_unexpected_error_shows_a_general_text_and_nothing_of_its_own(log_in: LogIn) -> None:
    page = log_in("ben")
    page.locator("#receipts-form button").click()
    task = page.locator("main task-progress")
    expect(task.locator("[data-progress=reason]")).to_have_text("Something went wrong.")
    assert "J. Smith" not in page.content()


def test_later_start_is_counted_down_and_may_be_called_off(log_in: LogIn) -> None:
    page = log_in("ben")
    page.locator("#later-form button").click()
    task = page.locator("main task-progress")
    expect(task.locator("[data-progress=status]")).to_have_text(re.compile(r"in 0:0\d"))
    task.get_by_role("button", name="Cancel").click()
    expect(task).to_have_attribute("state", "REVOKED")
