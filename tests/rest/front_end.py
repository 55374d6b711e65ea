"""A front end: a browser with a login, or a program with a JSON web token, that asks a real server."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError

from django.contrib.auth.models import User
from django.test import Client
from rest_framework_simplejwt.tokens import AccessToken

LIST = "/api/v1/me/notifications"
CSRF_TOKEN = "x" * 32


@dataclass(frozen=True, slots=True)
class Answer:
    """The status, and the JSON of the body; the text where it is none."""

    status: int
    body: Any
    headers: Any = field(default=None, compare=False, repr=False)


@dataclass(slots=True)
class FrontEnd:
    """Asks the server at ``url`` with these headers."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, data: Any = None, **headers: str) -> Answer:
        """Send ``data`` as JSON, or as it is where it is bytes."""
        body = data if data is None or isinstance(data, bytes) else json.dumps(data).encode()
        headers = {"Content-Type": "application/json", **self.headers, **headers}
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return _read(response)
        except HTTPError as error:
            with error:
                return _read(error)

    def get(self, path: str = "") -> Answer:
        """Ask below the path of the list."""
        return self.ask("GET", LIST + path)

    def patch(self, path: str = "", /, **data: Any) -> Answer:
        """Send something there."""
        return self.ask("PATCH", LIST + path, data)


def _read(response: Any) -> Answer:
    text = response.read().decode()
    is_json = response.headers.get("Content-Type") == "application/json"
    return Answer(response.status, json.loads(text) if text and is_json else text, response.headers)


def with_token(url: str, user: User) -> FrontEnd:
    """Knows its user by a token."""
    return FrontEnd(url, {"Authorization": f"Bearer {AccessToken.for_user(user)}"})


def with_session(url: str, user: User) -> FrontEnd:
    """Knows its user by the cookie of a session, and sends the token against forged requests."""
    client = Client()
    client.force_login(user)
    session = client.cookies["sessionid"].value
    cookies = f"sessionid={session}; csrftoken={CSRF_TOKEN}"
    return FrontEnd(url, {"Cookie": cookies, "X-CSRFToken": CSRF_TOKEN})
