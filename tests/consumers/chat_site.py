"""What people have beside us: consumers of their own, routed by us, or by themselves with ours among theirs."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

django_application = get_asgi_application()

from channels_progress.asgi import with_websockets  # noqa: E402
from channels_progress.consumers.mixins import AudienceConsumerMixin  # noqa: E402
from channels_progress.routing import websocket_urlpatterns  # noqa: E402


class ChatConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """As in channels' own tutorial: whoever is here reads what anybody says."""

    groups = ("chat",)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        await self.channel_layer.group_send("chat", {"type": "chat.message", "text": content["text"]})

    async def chat_message(self, event: dict[str, Any]) -> None:
        await self.send_json({"said": event["text"]})


class DashboardConsumer(AudienceConsumerMixin, AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """Says what it has joined, then what it hears."""

    async def connect(self) -> None:
        await self.accept()
        joined = [*await self.join_audiences(), *await self.join_channels(["news"], trusted=True)]
        await self.send_json({"joined": joined, "missed": await self.send_missed()})


patterns = [path("ws/chat/", ChatConsumer.as_asgi()), path("ws/dashboard/", DashboardConsumer.as_asgi())]
ours_in_front = with_websockets(django_application, *patterns)
all_in_one_router = ProtocolTypeRouter(
    {"http": django_application, "websocket": AuthMiddlewareStack(URLRouter([*websocket_urlpatterns, *patterns]))}
)
