"""The whole example site, once per run, and real browsers looking at it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page

from example_project.site_client import SiteClient
from example_project.stack import Stack, run_stack
from tests.browsers import PAGE_TIMEOUT_MS, close_context, run_chromium
from tests.live.blocking_proxy import BlockingProxy, run_proxy

LogIn = Callable[..., Page]
OpenPage = Callable[[str], Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One process runs all live tests, so that there is one stack per run; but for those that need none and say so."""
    for item in items:
        if "/tests/live/" in item.path.as_posix():
            item.add_marker(pytest.mark.live)
            if not item.get_closest_marker("xdist_group"):
                item.add_marker(pytest.mark.xdist_group("stack"))
            if "browser" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def stack(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The running site."""
    with run_stack(tmp_path_factory.mktemp("stack"), redis_url=redis_url) as stack:
        yield stack


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failing live test shows the end of the stack's logs."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, Stack):
        report.sections.extend((f"log of {name}", stack.tail(name)) for name in ("site", "worker"))
    return report


@pytest.fixture
def client(stack: Stack) -> SiteClient:
    """A visitor without a browser, logged in as Ada."""
    client = SiteClient(stack.url)
    client.log_in("ada")
    return client


# Not for the whole session: while Playwright is there, its event loop counts as the running one of this thread.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium: the system's, else Playwright's own."""
    with run_chromium() as chromium:
        yield chromium


@pytest.fixture
def proxy(stack: Stack) -> Iterator[BlockingProxy]:
    """Between the site and browsers that go to its address; it lets everything pass until it is told otherwise."""
    with run_proxy(stack.port) as proxy:
        yield proxy


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """``open_page(url)``: the start page for a new visitor, who does not log in."""
    contexts: list[BrowserContext] = []

    def open_page(url: str) -> Page:
        contexts.append(browser.new_context(base_url=url))
        page = contexts[-1].new_page()
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        close_context(context)


@pytest.fixture
def complaints() -> list[str]:
    """What browsers complained about on their consoles, such as refused scripts and styles; a test ends without any."""
    return []


@pytest.fixture
def log_in(browser: Browser, stack: Stack, complaints: list[str]) -> Iterator[LogIn]:
    """``log_in("ada", **options)``: a page of a new browser context, on the start page, logged in with one click."""
    contexts: list[BrowserContext] = []

    def log_in(username: str, **options: Any) -> Page:
        context = browser.new_context(base_url=stack.url, **options)
        contexts.append(context)
        context.set_default_timeout(PAGE_TIMEOUT_MS)
        page = context.new_page()
        page.on("console", lambda message: complain(complaints, message))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/accounts/login/")
        page.get_by_role("button", name=f"Log in as {username.title()}").click()
        page.wait_for_url(f"{stack.url}/")
        return page

    yield log_in
    for context in contexts:
        close_context(context)
    assert complaints == []


def cancel_all(page: Page) -> None:
    """Cancel the jobs of ``/several/``, so that the next test finds a free worker."""
    page.goto("/several/")
    buttons = page.locator("main task-progress button:visible:not([aria-disabled=true])", has_text="Cancel")
    while buttons.count():
        # One that ends by itself takes its button away.
        with suppress(Error):
            buttons.first.click(timeout=1_000)


def complain(complaints: list[str], message: ConsoleMessage) -> None:
    if message.type in {"error", "warning"}:
        complaints.append(f"{message.type}: {message.text}")
