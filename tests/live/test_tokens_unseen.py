"""Tokens stay between page and server: a whole site at work, all it logs at DEBUG, and all addresses its pages ask."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, Request, WebSocket, expect
from websockets.exceptions import InvalidStatus

from example_project.site_client import SiteClient
from example_project.stack import Stack, run_stack
from tests.browsers import PAGE_TIMEOUT_MS, close_context
from tests.live.blocking_proxy import BlockingProxy, Treatment, run_proxy
from tests.waiting import wait_until

# payload~signature, as tokens.py makes them.
TOKEN = re.compile(r"\.?[A-Za-z0-9_-]{20,}~[A-Za-z0-9_-]{43}")


@pytest.fixture(scope="module")
def talkative(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A site of its own, which logs everything."""
    folder = tmp_path_factory.mktemp("talkative")
    with run_stack(folder, redis_url=redis_url, concurrency=1, log_level="DEBUG") as stack:
        yield stack


@pytest.fixture
def talkative_proxy(talkative: Stack) -> Iterator[BlockingProxy]:
    with run_proxy(talkative.port) as proxy:
        yield proxy


@dataclass
class Wire:
    """What a browser has asked for, and the tokens that it had to do with.

    Attributes:
        urls: Of requests and sockets.
        tokens: By where they were seen.
    """

    urls: list[str] = field(default_factory=list)
    tokens: dict[str, set[str]] = field(default_factory=dict)

    def watch(self, page: Page) -> None:
        page.on("request", self._see_request)
        page.on("websocket", self._see_socket)

    def read(self, place: str, text: str) -> None:
        self.tokens.setdefault(place, set()).update(TOKEN.findall(text))

    def _see_request(self, request: Request) -> None:
        self.urls.append(request.url)
        self.read("header", json.dumps(request.headers))
        self.read("body", request.post_data or "")

    def _see_socket(self, socket: WebSocket) -> None:
        self.urls.append(socket.url)
        socket.on("framesent", lambda text: self.read("frame", str(text)))


def read_logs(stack: Stack) -> dict[str, str]:
    return {path.name: path.read_text(errors="replace") for path in stack.log_path("site").parent.glob("*.log")}


def visit(browser: Browser, url: str, proxy: BlockingProxy, wire: Wire) -> None:
    """Somebody without login, whose sockets are forbidden at first, then let through; then with a login."""
    context = browser.new_context(base_url=url)
    context.set_default_timeout(PAGE_TIMEOUT_MS)
    page = context.new_page()
    wire.watch(page)
    proxy.treatment = Treatment.FORBID
    page.goto("/")
    page.locator("#pack-form button").click()
    task = page.locator("main task-progress")
    expect(task).to_have_attribute("connection", "polling")
    proxy.treatment = Treatment.PASS
    expect(task).to_have_attribute("connection", "open")
    wire.read("page", page.content())
    task.get_by_role("button", name="Cancel").click()
    expect(task).to_have_attribute("state", "REVOKED")
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Log in as Ada").click()
    page.wait_for_url(f"{url}/")
    page.goto("/tasks/")
    wire.read("list", page.content())
    wait_until(lambda: page.title() and len(wire.tokens.get("frame", ())) > 1)
    close_context(context)


def renew_and_fail(stack: Stack, wire: Wire) -> None:
    """A token is renewed, and some that are none are sent to wherever tokens are taken."""
    client = SiteClient(stack.url)
    client.log_in("ada")
    page = client.submit(client.get("/"), "strict-form")
    token = page.tasks[0]["token"]
    fresh = json.loads(client.post("/tasks/token/", token=token).text)["token"]
    spoiled = token[:-1] + ("A" if token[-1] != "A" else "B")
    for each in (token, fresh, spoiled):
        with client.connect(page.tasks[0]["socket"], each) as socket:
            socket.send(json.dumps({"type": "subscribe", "token": each}))
            socket.recv(60)
            # Whatever is wrong with the next frame, it is not repeated.
            socket.send(json.dumps({"type": "subscribe", "token": [each]}))
    with suppress(InvalidStatus), SiteClient(stack.url).connect(page.tasks[0]["socket"], spoiled):
        pass
    wire.read("renewed", " ".join([token, fresh, spoiled]))


@pytest.mark.browser
def test_no_token_is_in_any_log_or_address(talkative: Stack, talkative_proxy: BlockingProxy, browser: Browser) -> None:
    wire = Wire()
    visit(browser, talkative_proxy.url, talkative_proxy, wire)
    renew_and_fail(talkative, wire)
    assert {place for place, tokens in wire.tokens.items() if tokens} >= {"page", "list", "header", "frame", "renewed"}
    signatures = {token.partition("~")[2] for tokens in wire.tokens.values() for token in tokens}
    logs = read_logs(talkative)
    # They do say all they can: else this proved nothing.
    assert "Using selector" in logs["site.log"]
    assert "DEBUG/" in logs["worker.log"]
    assert "/asgi/notifications/?page=" in logs["site.log"]
    assert [name for name, text in logs.items() if any(signature in text for signature in signatures)] == []
    assert [url for url in [*wire.urls, *(each.target for each in talkative_proxy.passed)] if "~" in url] == []
