"""Visitors of a rig's site with browsers of their own, on pages that the test writes."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browsers import PAGE_TIMEOUT_MS, close_context
from tests.channel_layers import PUBSUB, make_layers
from tests.js.conftest import is_problem
from tests.live.rig import Rig, Site
from tests.live.rig.pages import FOLDER
from tests.settings import TEMPLATES

Visit = Callable[[str], "Visitor"]


class Visitor:
    """Somebody who is logged in, unless they have no name.

    Attributes:
        token: Of a named person, for the channel ``import-42``.
        problems: What their pages threw, or logged as errors.
    """

    def __init__(self, rig: Rig, site: Site, context: BrowserContext, name: str) -> None:
        self._rig, self.context = rig, context
        self.problems: list[str] = []
        self.token = context.request.post(f"{site.url}/log-in/{name}/").json()["token"] if name else ""

    def open(self, body: str, files: Mapping[str, Path | str]) -> Page:
        """A page with this body, beside these files and texts."""
        folder = self._rig.folder / FOLDER / uuid.uuid4().hex
        folder.mkdir(parents=True)
        for name, file in {**files, "page.html": f"<!doctype html><title>Page</title>{body}"}.items():
            if isinstance(file, Path):
                shutil.copyfile(file, folder / name)
            else:
                (folder / name).write_text(file)
        return self.go(f"/{FOLDER}/{folder.name}/page.html")

    def go(self, path: str) -> Page:
        """A page of the site."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda message: self.problems.append(message.text) if is_problem(message) else None)
        page.goto(path)
        return page

    def say(self, *calls: tuple[str, list[Any], dict[str, Any]]) -> None:
        """Have the site call functions that broadcast."""
        answer = self.context.request.post("/say/", data=json.dumps(calls))
        assert answer.json() == {"answers": [True for _ in calls]}

    def count_acknowledged(self) -> int:
        return int(self.context.request.get("/acknowledged/").json()["acknowledged"])


@contextmanager
def run_visited_site(redis_url: str, folder: Path, **options: Any) -> Iterator[tuple[Rig, Site]]:
    """A site on a Redis layer, with a database, and with templates in ``templates`` of the rig's folder.

    ``options`` go into ``CHANNELS_PROGRESS``.
    """
    templates = [{**TEMPLATES[0], "DIRS": [str(folder / "templates")]}]
    layers = make_layers(PUBSUB, redis_url)
    rig = Rig(
        folder=folder,
        broker_url=redis_url,
        databases={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "site.sqlite3")}},
        django={"CHANNEL_LAYERS": layers, "ROOT_URLCONF": "tests.live.rig.pages", "TEMPLATES": templates},
        progress={"SUBSCRIPTION_AUTHORIZER": "tests.live.authorizers.allow_articles", **options},
    )
    rig.manage("migrate", "--verbosity", "0")
    with rig.run_site() as site:
        yield rig, site


@pytest.fixture(scope="module")
def running(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, Site]]:
    with run_visited_site(redis_url, tmp_path_factory.mktemp("visited")) as running:
        yield running


@pytest.fixture
def rig(running: tuple[Rig, Site]) -> Rig:
    return running[0]


@pytest.fixture
def site(running: tuple[Rig, Site]) -> Site:
    return running[1]


@pytest.fixture
def visit(browser: Browser, running: tuple[Rig, Site]) -> Iterator[Visit]:
    """``visit("alice")``. What a page of theirs throws or logs as an error fails the test."""
    visitors: list[Visitor] = []

    def visit(name: str) -> Visitor:
        context = browser.new_context(base_url=running[1].url)
        context.set_default_timeout(PAGE_TIMEOUT_MS)
        visitors.append(Visitor(*running, context, name))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        close_context(visitor.context)
    assert [problem for visitor in visitors for problem in visitor.problems] == []
