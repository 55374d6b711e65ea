"""The WebSocket route, for a ``URLRouter`` of one's own; ``asgi.with_websockets`` does all that is needed around it."""

from __future__ import annotations

from typing import Any

from django.urls.resolvers import RoutePattern, URLPattern

from channels_progress.conf import get_settings
from channels_progress.consumers.consumer import ProgressConsumer


def is_socket_path(path: str) -> bool:
    """Whether this path, below ``SCRIPT_NAME``, is the endpoint's by the settings as they are now."""
    return path.lstrip("/") == get_settings().SOCKET_PATH.lstrip("/")


class SocketPath(RoutePattern):
    """The pattern of ``SOCKET_PATH``, asked for at every match."""

    def __init__(self) -> None:
        super().__init__("", name="channels_progress_socket", is_endpoint=True)

    def match(self, path: str) -> tuple[str, tuple[Any, ...], dict[str, Any]] | None:
        """What a ``URLRouter`` asks."""
        return ("", (), {}) if is_socket_path(path) else None


websocket_urlpatterns = [URLPattern(SocketPath(), ProgressConsumer.as_asgi())]
