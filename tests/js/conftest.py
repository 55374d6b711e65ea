"""A browser, and a page in it that the test serves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage

from channels_progress.store import reset_store
from tests.browsers import PAGE_TIMEOUT_MS, close_context
from tests.js.stage import Stage
from tests.live.conftest import browser  # noqa: F401  a fixture


@pytest.fixture
def stage(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Stage]:  # noqa: F811
    """A fresh page; whatever it throws or logs as an error fails the test. Takes options of ``new_context``."""
    reset_store()
    context = browser.new_context(**getattr(request, "param", {}))
    page = context.new_page()
    page.set_default_timeout(PAGE_TIMEOUT_MS)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if is_problem(message) else None)
    yield Stage(page)
    close_context(context)
    reset_store()
    assert problems == []


def is_problem(message: ConsoleMessage) -> bool:
    """Whether a page logged this as an error of its own."""
    # The browser itself logs every request and socket that fails.
    return message.type == "error" and "Failed to load resource" not in message.text and "WebSocket" not in message.text
