"""Which pages may open a socket: browsers send cookies with a handshake from any site, so its origin must be ours.

``channels.security.websocket.AllowedHostsOriginValidator`` ignores scheme and port, and raises on
``Origin: http://[``; hence this one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest

from channels_progress.conf import get_settings
from channels_progress.consumers.logins import LOGIN_KEY
from channels_progress.consumers.outbox import Send
from channels_progress.consumers.protocol import CloseCode
from channels_progress.values import shorten

logger = logging.getLogger("channels_progress")

Receive = Callable[[], Awaitable[dict[str, Any]]]
DEFAULT_PORTS = {"http": 80, "https": 443}
# RFC 6454, 6.2: scheme "://" host [ ":" port ]; an IPv6 host stands in brackets.
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[^\s/?#@:\[\]\\]+)(?::([0-9]{1,5}))?", re.ASCII)


class Origin(NamedTuple):
    """A scheme, a host in lower case, and a port; None where the scheme has no default one and none is given."""

    scheme: str
    host: str
    port: int | None


def parse_origin(text: str) -> Origin | None:
    """The origin that this header or setting spells; None for ``null`` and for anything malformed."""
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        return None
    port = int(match[3]) if match[3] else DEFAULT_PORTS.get(match[1])
    return None if port is not None and not 0 < port < 65_536 else Origin(match[1], match[2], port)


def is_allowed_origin(scope: dict[str, Any]) -> bool:
    """Whether this handshake comes from the site itself or from one of ``ALLOWED_ORIGINS``.

    The site itself is what Django makes of the request: ``Host`` within ``ALLOWED_HOSTS`` (``X-Forwarded-Host`` where
    ``USE_X_FORWARDED_HOST``), and ``wss`` where the server, or ``SECURE_PROXY_SSL_HEADER``, says so. Whoever has
    logged in by other means than cookies may come from anywhere: no page of another site could.
    """
    if LOGIN_KEY in scope:
        return True
    given = [value for name, value in scope.get("headers", ()) if name == b"origin"]
    origin = parse_origin(given[0].decode("latin-1")) if len(given) == 1 else None
    if origin is None:
        return False
    return origin == _own_origin(scope) or origin in map(parse_origin, get_settings().ALLOWED_ORIGINS)


def log_refusal(scope: dict[str, Any]) -> None:
    """Say in the log which origin was refused, and what to do if it should not have been."""
    given = [value.decode("latin-1") for name, value in scope.get("headers", ()) if name == b"origin"]
    logger.warning(
        "A socket of origin %s is refused; the site's own is %s. See CHANNELS_PROGRESS['ALLOWED_ORIGINS'].",
        shorten(repr(given), 200),
        _own_origin(scope),
    )


async def refuse(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """An ASGI application that refuses a WebSocket before it is accepted: the browser sees HTTP 403."""
    await receive()
    await send({"type": "websocket.close", "code": int(CloseCode.FORBIDDEN)})


def _own_origin(scope: dict[str, Any]) -> Origin | None:
    request = _Handshake(scope)
    try:
        return parse_origin(f"{request.scheme}://{request.get_host()}") if request.has_host else None
    except DisallowedHost:
        return None


class _Handshake(HttpRequest):
    """Lets Django decide what the host and the scheme of a handshake are, by its settings."""

    def __init__(self, scope: dict[str, Any]) -> None:
        super().__init__()
        for name, value in scope.get("headers", ()):
            self.META["HTTP_" + name.decode("latin-1").upper().replace("-", "_")] = value.decode("latin-1")
        self._is_secure = scope.get("scheme") in {"wss", "https"}

    @property
    def has_host(self) -> bool:
        return "HTTP_HOST" in self.META or "HTTP_X_FORWARDED_HOST" in self.META

    def _get_scheme(self) -> str:
        return "https" if self._is_secure else "http"
