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

    return url, wait_until(read_redirect, within_s=60, message="the hash is not done")


def test_hashing_counts_bytes_and_leads_to_the_checksum(log_in: LogIn) -> None:
    page = log_in("ada")
    url, result = hash_tree(page)
    page = page.context.new_page()
    page.goto(result)
    expect(page.locator("code")).to_have_text(re.compile("^[0-9a-f]{64}$"))
    page.goto(url)
    expect(page.locator("[data-progress=count]")).to_have_text(re.compile(r"\d (KB|MB|GB)"))


def test_checksum_of_somebody_else_is_not_found(log_in: LogIn) -> None:
    ada, ben = log_in("ada"), log_in("ben")
    _, result = hash_tree(ada)
    assert [page.request.get(result).status for page in (ada, ben)] == [200, 404]


def test_staff_find_the_result_in_the_admin_and_others_see_no_link(log_in: LogIn) -> None:
    ada, ben = log_in("ada"), log_in("ben")
    (url_of_ada, _), (url_of_ben, _) = hash_tree(ada), hash_tree(ben)
    ada, ben = ada.context.new_page(), ben.context.new_page()
    ben.goto(url_of_ben)
    expect(ben.locator("task-progress")).to_have_attribute("state", "SUCCESS")
    expect(ben.get_by_role("link", name="Result and traceback")).to_have_count(0)
    ada.goto(url_of_ada)
    ada.get_by_role("link", name="Result and traceback").click()
    uid = url_of_ada.rstrip("/").rpartition("/")[2]
    expect(ada.locator("body")).to_contain_text(uid)
    expect(ada.locator("body")).to_contain_text("example_project.files.tasks.hash_tree")


def test_password_form_logs_in_and_log_out_logs_out(log_in: LogIn, stack: Stack) -> None:
    page = log_in("ben")
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("ada-demo")
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url(f"{stack.url}/")
    expect(page.get_by_role("link", name="Admin")).to_be_visible()


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_colours_follow_the_system(log_in: LogIn, color_scheme: str) -> None:
    page = log_in("ada", color_scheme=color_scheme)
    red, green, blue = re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (int(red) + int(green) + int(blue) > 3 * 128) == (color_scheme == "light")
