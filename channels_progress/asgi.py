"""Adds WebSockets to a project's ASGI application."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import re_path
from django.urls.resolvers import URLPattern

from channels_progress.consumers.origins import Application, OriginCheck, Receive, refuse
from channels_progress.consumers.outbox import Send
from channels_progress.routing import websocket_urlpatterns


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
    nothing_else = re_path("", refuse)
    theirs = re_path("", AuthMiddlewareStack(URLRouter([*extra_url_patterns, nothing_else])))
    router = URLRouter([*websocket_urlpatterns, theirs if extra_url_patterns else nothing_else])
    return ProtocolTypeRouter({"http": django_asgi_app, "websocket": OriginCheck(_below_script_name(router))})


def _below_script_name(router: Application) -> Application:
    """Route by the path below ``SCRIPT_NAME``, whether or not the proxy has stripped it: as Django does for HTTP."""

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        script_name = (settings.FORCE_SCRIPT_NAME or scope.get("root_path", "")).rstrip("/")
        path: str = scope["path"]
        if path.startswith(script_name + "/"):
            path = path.removeprefix(script_name)
        await router(dict(scope, path_remaining=path.lstrip("/")), receive, send)

    return application
