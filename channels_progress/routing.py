"""The WebSocket route, for a ``URLRouter`` of one's own; ``asgi.with_websockets`` does all that is needed around it."""

from __future__ import annotations

from typing import Any

from django.urls.resolvers import RoutePattern, URLPattern

from channels_progress.conf import get_settings
from channels_progress.consumers.consumer import ProgressConsumer


class SocketPath(RoutePattern):
    """Matches ``SOCKET_PATH``, as the settings have it now."""

    def __init__(self) -> None:
        super().__init__("", name="channels_progress_socket", is_endpoint=True)

    def match(self, path: str) -> tuple[str, tuple[Any, ...], dict[str, Any]] | None:
        """What a ``URLRouter`` asks; ``path`` is without leading slash."""
        return ("", (), {}) if path == get_settings().SOCKET_PATH.lstrip("/") else None


websocket_urlpatterns = [URLPattern(SocketPath(), ProgressConsumer.as_asgi())]
