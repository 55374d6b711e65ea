"""Adds WebSockets to a project's ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import re_path
from django.urls.resolvers import URLPattern

from channels_progress.consumers.consumer import ProgressConsumer
from channels_progress.consumers.origins import Receive, is_allowed_origin, log_refusal, refuse
from channels_progress.consumers.outbox import Send
from channels_progress.routing import is_socket_path

__all__ = ["with_websockets"]


def with_websockets(django_asgi_app: Any, *extra_url_patterns: URLPattern) -> ProtocolTypeRouter:
    """The project's ASGI application: HTTP as before, and WebSockets from the site's own pages.

    Args:
        django_asgi_app: What ``get_asgi_application()`` returns.
        extra_url_patterns: The project's own WebSocket routes, ``path("ws/chat/", ChatConsumer.as_asgi())``. They find
            ``scope["session"]`` and ``scope["user"]``. Ours does without: it loads them when it needs them.

    A socket of a foreign origin, or of a path that nobody serves, is refused before it is accepted.

    Raises:
        TypeError: An extra pattern is not a ``path()`` or ``re_path()`` of a consumer.
    """
    for pattern in extra_url_patterns:
        if not isinstance(pattern, URLPattern):
            raise TypeError(f'with_websockets() got {pattern!r}; path("…", SomeConsumer.as_asgi()) is expected.')
    return ProtocolTypeRouter({"http": django_asgi_app, "websocket": WebSocketRouter(extra_url_patterns)})


class WebSocketRouter:
    """Routes by the path below ``SCRIPT_NAME``: ours first, then the project's own patterns, for the site's own origin.

    Not a coroutine, and our route not in a ``URLRouter``: a coroutine and a copy of the scope for each layer, kept as
    long as the socket, would be a fifth of what an idle socket costs.
    """

    def __init__(self, url_patterns: tuple[URLPattern, ...]) -> None:
        anything_else: Any = re_path("", refuse)  # type: ignore[arg-type]  # an ASGI application, not a view
        self._others = AuthMiddlewareStack(URLRouter([*url_patterns, anything_else])) if url_patterns else refuse

    def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> Awaitable[None]:
        """Whatever serves this socket, to be awaited."""
        path = _path_below_script_name(scope)
        if is_socket_path(path):
            # It looks at the origin itself.
            return ProgressConsumer()(scope, receive, send)
        if not is_allowed_origin(scope):
            log_refusal(scope)
            return refuse(scope, receive, send)
        others: Awaitable[None] = self._others(dict(scope, path_remaining=path), receive, send)
        return others


def _path_below_script_name(scope: dict[str, Any]) -> str:
    """Whether or not a proxy has stripped it: as Django does for HTTP. Without leading slash."""
    script_name = (settings.FORCE_SCRIPT_NAME or scope.get("root_path", "")).rstrip("/")
    path: str = scope["path"]
    return (path.removeprefix(script_name) if path.startswith(script_name + "/") else path).lstrip("/")
