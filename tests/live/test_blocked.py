"""Sites and networks without WebSockets: a page polls, says so calmly, and goes live as soon as it can."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Locator, Page, expect

from example_project.embedded_redis import find_free_port
from example_project.leash import Leashed
from example_project.stack import HOST, Stack, get_json
from tests.live.blocking_proxy import BlockingProxy, Passed, Treatment
from tests.live.conftest import OpenPage, cancel_all
from tests.tooling import ROOT
from tests.waiting import wait_until

POLLING = "No live connection. Updating every few seconds."


@pytest.fixture
def wsgi_url(stack: Stack) -> Iterator[str]:
    """The address of the same site under a server that knows no WebSockets."""
    port = find_free_port()
    url = f"http://{HOST}:{port}"
    with stack.log_path("wsgi").open("wb") as log:
        server = Leashed([sys.executable, "-m", "tests.live.wsgi_site", str(port)], log=log, env=stack.env, cwd=ROOT)
    try:
        wait_until(lambda: answers(f"{url}/ready/"), message="the WSGI server does not answer")
        yield url
    finally:
        server.stop()


def answers(url: str) -> bool:
    with suppress(OSError):
        return bool(get_json(url))
    return False


def start_packing(page: Page) -> Locator:
    """The element of a task that takes long enough."""
    page.locator("#pack-form button").click()
    page.wait_for_url(re.compile("/tasks/"))
    return page.locator("main task-progress")


def expect_progress(task: Locator) -> None:
    """See the count change."""
    count = task.locator("[data-progress=count]")
    expect(count).not_to_be_empty()
    expect(count).not_to_have_text(count.inner_text())


def cancel(task: Locator) -> None:
    task.get_by_role("button", name="Cancel").click()
    expect(task).to_have_attribute("state", "REVOKED")


def test_forbidden_socket_is_polled_for_until_it_is_allowed(open_page: OpenPage, proxy: BlockingProxy) -> None:
    proxy.treatment = Treatment.FORBID
    task = start_packing(open_page(proxy.url))
    notice = task.locator("[data-progress=notice]")
    expect(task).to_have_attribute("connection", "polling")
    expect(notice).to_have_text(POLLING)
    began = time.monotonic()
    expect_progress(task)
    expect_progress(task)
    assert proxy.count_polls(since=began) <= 2 + (time.monotonic() - began) / 2
    proxy.treatment = Treatment.PASS
    expect(task).to_have_attribute("connection", "open")
    expect(notice).to_be_empty()
    opened = time.monotonic()
    expect_progress(task)
    cancel(task)
    assert proxy.count_polls(since=opened + 0.5) == 0


@pytest.mark.parametrize("treatment", [Treatment.DROP, Treatment.SWALLOW])
def test_socket_that_opens_and_says_nothing_is_polled_for(
    open_page: OpenPage, proxy: BlockingProxy, treatment: Treatment
) -> None:
    proxy.treatment = treatment
    task = start_packing(open_page(proxy.url))
    expect(task).to_have_attribute("connection", "polling")
    expect_progress(task)
    cancel(task)


def test_site_without_asgi_works_by_polling(open_page: OpenPage, wsgi_url: str) -> None:
    task = start_packing(open_page(wsgi_url))
    expect(task).to_have_attribute("connection", "polling")
    expect_progress(task)
    cancel(task)


def test_socket_cut_in_the_middle_loses_nothing(open_page: OpenPage, proxy: BlockingProxy) -> None:
    task = start_packing(open_page(proxy.url))
    expect(task).to_have_attribute("connection", "open")
    proxy.treatment = Treatment.FORBID
    proxy.hang_up()
    expect(task).to_have_attribute("connection", "polling")
    expect_progress(task)
    cancel(task)


def find_polls(proxy: BlockingProxy) -> list[Passed]:
    return [each for each in proxy.passed if "since=" in each.target]


def test_five_tasks_are_polled_one_after_another(open_page: OpenPage, proxy: BlockingProxy) -> None:
    proxy.treatment = Treatment.STRIP
    page = open_page(proxy.url)
    page.locator("#several-form button").click()
    # Some of the five may have ended before the page gives the socket up.
    wait_until(lambda: len(find_polls(proxy)) >= 5 or page.wait_for_timeout(50))
    first, *_, fifth = find_polls(proxy)[:5]
    assert fifth.at - first.at > 1.5
    cancel_all(page)
