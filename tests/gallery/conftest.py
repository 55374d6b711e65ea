"""One browser for all tests of the gallery, and pages in it that show one scene after another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browsers import close_context, run_chromium
from tests.gallery.studio import Studio, make_context
from tests.js.conftest import PAGE_TIMEOUT_MS, is_problem

WIDE = {"width": 760, "height": 700}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All but the tests of files need Chromium."""
    for item in items:
        if {"studio", "still"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with run_chromium() as chromium:
        yield chromium


@pytest.fixture(scope="package")
def _studio(chromium: Browser) -> Iterator[tuple[Studio, list[str]]]:
    yield from _furnish(make_context(chromium, viewport=WIDE))


@pytest.fixture(scope="package")
def _still(chromium: Browser) -> Iterator[tuple[Studio, list[str]]]:
    yield from _furnish(make_context(chromium, viewport=WIDE, java_script_enabled=False))


@pytest.fixture
def studio(_studio: tuple[Studio, list[str]]) -> Iterator[Studio]:
    """A page; whatever it throws or logs as an error fails the test."""
    studio, problems = _studio
    _reset(studio)
    yield studio
    assert problems == []


@pytest.fixture
def still(_still: tuple[Studio, list[str]]) -> Iterator[Studio]:
    """The same page without JavaScript."""
    _reset(_still[0])
    yield _still[0]
    # It would go on to reload itself, and get in the way of the next test.
    _still[0].page.goto("about:blank")


@pytest.fixture(scope="session")
def axe(npm_packages: Path) -> str:
    return (npm_packages / "axe-core" / "axe.min.js").read_text()


def _furnish(context: BrowserContext) -> Iterator[tuple[Studio, list[str]]]:
    page = context.new_page()
    page.set_default_timeout(PAGE_TIMEOUT_MS)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if is_problem(message) else None)
    yield Studio(page), problems
    close_context(context)


def _reset(studio: Studio) -> None:
    plain: Any = "null"
    studio.style = ""
    studio.page.set_viewport_size(WIDE)
    studio.page.emulate_media(color_scheme="light", reduced_motion=plain, forced_colors=plain)
