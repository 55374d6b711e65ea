"""Pages that sleep while their task ends, in a real browser: they are right when they wake."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from example_project.stack import Stack
from tests.browsers import run_chromium
from tests.live.blocking_proxy import BlockingProxy
from tests.live.conftest import OpenPage, cancel_all
from tests.live.test_blocked import start_packing
from tests.waiting import wait_until

# A whole browser wakes, perhaps on a busy machine.
WITHIN_MS = 60_000
NOTE_LIFE = """
globalThis.life = [];
for (const [target, name] of [[document, "freeze"], [document, "resume"], [window, "offline"], [window, "online"]]) {
  target.addEventListener(name, () => life.push(name));
}
addEventListener("pageshow", ({ persisted }) => persisted && life.push("back from the cache"));
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """With the back/forward cache, which Playwright turns off."""
    with run_chromium(ignore_default_args=["--disable-back-forward-cache"]) as chromium:
        yield chromium


def follow(task: Locator) -> str:
    """Wait until the task is live on its page; its uid."""
    expect(task).to_have_attribute("connection", "open")
    return (task.get_attribute("channel") or "").removeprefix("task:")


def end(stack: Stack, uid: str) -> str:
    """Cancel the task from elsewhere, unless it has succeeded by now, and wait for its end; the state it has then."""
    stack.manage("cancel_task", uid)
    pattern = re.compile(rf"(?P<revoked>\[{uid}\] ignored|revoked task: \S+\[{uid}\])|\[{uid}\] succeeded")

    def look() -> re.Match[str] | None:
        return pattern.search(stack.log_path("worker").read_text())

    found = wait_until(look, within_s=60, message="the task has ended")
    assert found
    return "REVOKED" if found["revoked"] else "SUCCESS"


def test_page_is_right_when_the_lid_is_opened_again(open_page: OpenPage, proxy: BlockingProxy, stack: Stack) -> None:
    task = start_packing(open_page(proxy.url))
    uid = follow(task)
    processes = [each for each in psutil.Process().children(recursive=True) if each.name().startswith("chrom")]
    assert processes
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        proxy.hang_up()
        state = end(stack, uid)
    finally:
        for process in processes:
            os.kill(process.pid, signal.SIGCONT)
    expect(task).to_have_attribute("state", state, timeout=WITHIN_MS)


def test_page_is_right_when_the_network_is_back(open_page: OpenPage, proxy: BlockingProxy, stack: Stack) -> None:
    page = open_page(proxy.url)
    page.add_init_script(NOTE_LIFE)
    task = start_packing(page)
    uid = follow(task)
    page.context.set_offline(True)
    proxy.hang_up()
    expect(task).not_to_have_attribute("connection", "open")
    state = end(stack, uid)
    page.context.set_offline(False)
    expect(task).to_have_attribute("state", state, timeout=WITHIN_MS)
    assert page.evaluate("life") == ["offline", "online"]


def test_page_is_right_when_it_comes_back_from_the_cache(open_page: OpenPage, stack: Stack) -> None:
    """A page of one's own: the built-in one says ``no-store``, and is loaded anew."""
    page = open_page(stack.url)
    page.add_init_script(NOTE_LIFE)
    page.locator("#several-form button").click()
    page.wait_for_url(re.compile("/several/"))
    task = page.locator("main task-progress", has_text="Pack")
    uid = follow(task)
    page.goto(f"{stack.url}/accounts/login/")
    state = end(stack, uid)
    go_back(page)
    expect(task).to_have_attribute("state", state, timeout=WITHIN_MS)
    expect(task).to_have_attribute("connection", "open")
    assert page.evaluate("life") == ["freeze", "resume", "back from the cache"]
    cancel_all(page)


def go_back(page: Page) -> None:
    """Playwright's own ``go_back`` waits for a page that is loaded."""
    page.evaluate("setTimeout(() => history.back())")
