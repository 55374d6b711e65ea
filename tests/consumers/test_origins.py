"""Which pages may open a socket."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from channels_progress.consumers.origins import Origin, is_allowed_origin, parse_origin

PROXY_SAYS = {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}


def scope(*origins: str, host: str = "site.example:8000", scheme: str = "ws", **more: str) -> dict[str, Any]:
    headers = [(b"host", host.encode())] if host else []
    headers += [(b"origin", origin.encode("latin-1")) for origin in origins]
    headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in more.items()]
    return {"type": "websocket", "scheme": scheme, "headers": headers}


@pytest.fixture(autouse=True)
def allowed_hosts(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["site.example", "[::1]"]


@pytest.mark.parametrize(
    "handshake",
    [
        scope("http://site.example:8000"),
        scope("HTTP://Site.Example:8000"),
        scope("http://site.example", host="site.example"),
        scope("http://site.example:80", host="site.example"),
        scope("http://site.example", host="site.example:80"),
        scope("https://site.example", host="site.example", scheme="wss"),
        scope("https://site.example:443", host="site.example", scheme="wss"),
        scope("http://[::1]:8000", host="[::1]:8000"),
    ],
)
def test_own_pages_may(handshake: dict[str, Any]) -> None:
    assert is_allowed_origin(handshake)


@pytest.mark.parametrize(
    "handshake",
    [
        scope(),
        scope("null"),
        scope(""),
        scope("http://["),
        scope("http://site.example:99999"),
        scope("http://site.example:0"),
        scope("http://site.example:8000/"),
        scope("http://site.example:8000/path"),
        scope("http://user@site.example:8000"),
        scope("site.example:8000"),
        scope("//site.example:8000"),
        scope("http://site.example:8000\n"),
        scope("http://s\xedte.example:8000"),
        scope("http://site.example"),
        scope("http://site.example:8001"),
        scope("https://site.example:8000"),
        scope("ws://site.example:8000"),
        scope("http://evil.example:8000"),
        scope("http://site.example.evil.example:8000"),
        scope("http://site.example:8000", "http://evil.example"),
        scope("http://site.example", host="site.example", scheme="wss"),
        scope("http://evil.example", host="evil.example"),
        scope("http://site.example", host=""),
        scope("http://site.example", host="site.example, evil.example"),
        # Only a setting makes what a proxy says, or anybody in its name, count.
        scope("https://site.example", host="site.example", x_forwarded_proto="https"),
        scope("http://site.example", host="inner.example", x_forwarded_host="site.example"),
    ],
)
def test_others_may_not(handshake: dict[str, Any]) -> None:
    assert not is_allowed_origin(handshake)


FOREIGN = [
    scope(),
    scope("null"),
    scope("http://["),
    scope("http://evil.example"),
    scope("http://evil.example:8000"),
    scope("https://site.example:8000"),
    scope("http://site.example:99999"),
    scope("http://site.example:8000", "http://site.example:8000"),
    scope("http://*"),
    scope("http://[::2]:8000", host="[::1]:8000"),
]


@pytest.mark.parametrize("handshake", FOREIGN)
def test_a_site_that_answers_to_any_host_still_checks_the_origin(handshake: dict[str, Any]) -> None:
    with override_settings(ALLOWED_HOSTS=["*"]):
        assert not is_allowed_origin(handshake)
        assert is_allowed_origin(scope("http://site.example:8000"))


def test_scheme_is_what_the_trusted_proxy_says() -> None:
    with override_settings(**PROXY_SAYS):
        assert is_allowed_origin(scope("https://site.example", host="site.example", x_forwarded_proto="https"))
        assert not is_allowed_origin(scope("https://site.example", host="site.example", x_forwarded_proto="http"))


def test_host_is_what_the_trusted_proxy_says() -> None:
    with override_settings(USE_X_FORWARDED_HOST=True):
        assert is_allowed_origin(scope("http://site.example", host="inner", x_forwarded_host="site.example"))


def test_further_origins_are_allowed_by_a_setting_exactly_as_written() -> None:
    further = ["https://app.example", "capacitor://localhost", "nonsense"]
    with override_settings(CHANNELS_PROGRESS={"ALLOWED_ORIGINS": further}):
        assert is_allowed_origin(scope("https://app.example"))
        assert is_allowed_origin(scope("capacitor://localhost"))
        assert not is_allowed_origin(scope("http://app.example"))
        assert not is_allowed_origin(scope("https://app.example:8443"))
        assert not is_allowed_origin(scope("nonsense"))


def test_origins_are_compared_by_scheme_host_and_port() -> None:
    assert parse_origin("HTTPS://App.Example") == Origin("https", "app.example", 443)
    assert parse_origin("http://[2001:DB8::1]:8000") == Origin("http", "[2001:db8::1]", 8000)
    assert parse_origin("capacitor://localhost") == Origin("capacitor", "localhost", None)


@given(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)))
def test_no_header_raises(origin: str, host: str) -> None:
    handshake = {"headers": [(b"origin", origin.encode("latin-1")), (b"host", host.encode("latin-1"))]}
    assert is_allowed_origin(handshake) in {True, False}
