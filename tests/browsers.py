"""Chromium for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Error, expect, sync_playwright

from tests.services import lack
from tests.tooling import find_chromium

# For a page, and for what is expected of one: a busy machine may need long.
PAGE_TIMEOUT_MS = 60_000
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def run_chromium(**options: Any) -> Iterator[Browser]:
    """Chromium while it lasts: the system's, else Playwright's own; where neither starts, the test is skipped.

    ``options`` are more of Playwright's, for ``launch``.
    """
    path = find_chromium()
    if not path:
        lack("No Chromium on PATH, and `playwright install chromium` has brought none.")
    with sync_playwright() as playwright:
        expect.set_options(timeout=PAGE_TIMEOUT_MS)
        try:
            chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS, **options)
        except Error as error:
            lack(f"{path} does not start: {error}")
        yield chromium
        chromium.close()


def close_context(context: BrowserContext) -> None:
    """Close a browser context, its pages first: one with pages that still work with their storage may never close."""
    for page in context.pages:
        page.close()
    context.close()


@contextmanager
def run_context(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """A browser context for as long as it lasts."""
    context = browser.new_context(**options)
    yield context
    close_context(context)
