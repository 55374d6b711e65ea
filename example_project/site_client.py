"""A visitor without a browser: keeps cookies, sends the forms of a page as they stand there, follows redirects."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode, urljoin

import websockets.sync.client

TIMEOUT_S = 20.0


@dataclass(slots=True)
class Form:
    """One form of a page: where it goes, and what it sends unless something is changed."""

    action: str
    method: str
    data: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Page:
    """A page as it was answered.

    Attributes:
        url: Where it was found, after redirects.
        forms: By id, or by action where they have none.
        tasks: Attributes of each ``<task-progress>``; not the rows of lists.
    """

    url: str
    text: str
    forms: dict[str, Form] = field(default_factory=dict)
    tasks: list[dict[str, str]] = field(default_factory=list)


class SiteClient:
    """Visits one site."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._cookies = CookieJar()
        # No proxies: the site is on this machine, whatever the environment says.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._cookies)
        )

    def get(self, url: str) -> Page:
        """The page at ``url``, which may be relative to the site.

        Raises:
            urllib.error.HTTPError: the answer is 400 or above.
        """
        return self._open(urllib.request.Request(urljoin(self.url, url)))

    def submit(self, page: Page, form: str, **changes: str) -> Page:
        """Send a form as the page has it, with some fields changed; the page that the redirects lead to."""
        chosen = page.forms[form]
        address = urljoin(page.url, chosen.action)
        body = urlencode(chosen.data | changes)
        if chosen.method == "get":
            return self.get(f"{address}?{body}")
        # Django's CSRF check reads the Referer on https; browsers send it anyway.
        return self._open(urllib.request.Request(address, body.encode(), {"Referer": page.url}))

    def post(self, url: str, **data: str) -> Page:
        """What a script of a page sends; the answer."""
        return self._open(urllib.request.Request(urljoin(self.url, url), urlencode(data).encode()))

    def log_in(self, username: str) -> Page:
        """Press the button of one of the demo's people."""
        page = self.get("/accounts/login/")
        return self.submit(page, f"/accounts/login/{username}/")

    def connect(self, path: str, token: str = "", **options: Any) -> websockets.sync.client.ClientConnection:
        """A WebSocket as a page of this site would open it: cookies, origin and, on a page without login, a token."""
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._cookies)
        protocols = filter(None, ["channels-progress", token])
        address = urljoin(self.url, path).replace("http", "ws", 1)
        return websockets.sync.client.connect(
            address,
            origin=websockets.Origin(self.url),
            additional_headers={"Cookie": cookies},
            subprotocols=[websockets.Subprotocol(protocol) for protocol in protocols],
            open_timeout=TIMEOUT_S,
            proxy=None,
            **options,
        )

    def _open(self, request: urllib.request.Request) -> Page:
        with self._opener.open(request, timeout=TIMEOUT_S) as response:
            page = Page(response.url, response.read().decode())
        _PageReader(page).feed(page.text)
        return page


class _PageReader(HTMLParser):
    """Fills ``forms`` and ``tasks`` of a page."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self._form: Form | None = None
        self._select = ""
        self._textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "task-progress" and "compact" not in values:
            self._page.tasks.append(values)
        elif tag == "form":
            self._form = Form(values.get("action", ""), values.get("method", "get").lower())
            self._page.forms[values.get("id") or self._form.action] = self._form
        elif self._form:
            for name, value in self._read_field(tag, values):
                self._form.data[name] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        if self._form and self._textarea:
            # A line break right after the tag is none of the text's.
            self._form.data[self._textarea] += data.removeprefix("\n")

    def _read_field(self, tag: str, values: dict[str, str]) -> Iterator[tuple[str, str]]:
        if tag == "input" and values.get("name") and self._is_sent(values):
            yield values["name"], values.get("value", "on" if "checked" in values else "")
        elif tag == "textarea":
            self._textarea = values["name"]
            yield self._textarea, ""
        elif tag == "select":
            self._select = values.get("name", "")
        elif tag == "option" and self._select and self._is_chosen(values):
            yield self._select, values.get("value", "")

    def _is_sent(self, values: dict[str, str]) -> bool:
        return "checked" in values or values.get("type") not in {"radio", "checkbox"}

    def _is_chosen(self, option: dict[str, str]) -> bool:
        # A browser sends the first option unless another is marked.
        return "selected" in option or (self._form is not None and self._select not in self._form.data)
