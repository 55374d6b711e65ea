"""A project's own consumer that hears broadcasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator

from channels_progress import asend_to_all, asend_to_channel, asend_to_user, send_to_user
from channels_progress.consumers.mixins import AudienceConsumerMixin
from channels_progress.models import Receipt
from tests.consumers.hearing import ALICE, BOB, hear

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("settled")]


class DashboardConsumer(AudienceConsumerMixin, AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    async def connect(self) -> None:
        await self.accept()
        await self.join_audiences()
        await self.join_channels(["secret", "news", "task:x"])
        await self.join_channels(["own"], trusted=True)
        await self.send_json({"missed": await self.send_missed()})

    async def receive_json(self, content: dict[str, Any], **kwargs: Any) -> None:
        if "ack" in content:
            await self.acknowledge(content["ack"])
        if "leave" in content:
            await self.leave_channel(content["leave"])
        await self.send_json(content)


async def open_dashboard(settings: Any) -> WebsocketCommunicator:
    settings.CHANNELS_PROGRESS = {"STORE": "memory", "SUBSCRIPTION_AUTHORIZER": lambda user, name: name == "news"}
    socket = WebsocketCommunicator(DashboardConsumer.as_asgi(), "/ws/?page=mine")
    socket.scope["user"] = ALICE
    assert (await socket.connect())[0]
    return socket


@pytest.fixture
async def dashboard(settings: Any) -> AsyncIterator[WebsocketCommunicator]:
    socket = await open_dashboard(settings)
    yield socket
    await socket.disconnect()


async def test_it_hears_what_its_viewer_may(dashboard: WebsocketCommunicator) -> None:
    assert await dashboard.receive_json_from() == {"missed": 0}
    await asend_to_channel("secret", "no")
    await asend_to_user(BOB, "no")
    await asend_to_user(ALICE, "not to this page", exclude="mine")
    for send in (asend_to_user(ALICE, "user"), asend_to_all("all"), asend_to_channel("news", "news")):
        await send
    await asend_to_channel("own", "own")
    assert [await hear(dashboard) for _ in range(4)] == ["user", "all", "news", "own"]


async def test_it_sends_what_was_missed_until_it_is_acknowledged(settings: Any) -> None:
    await sync_to_async(send_to_user)(ALICE, "kept", persist=True)
    dashboard = await open_dashboard(settings)
    missed = await dashboard.receive_json_from()
    assert await dashboard.receive_json_from() == {"missed": 1}
    await dashboard.send_json_to({"ack": missed["id"]})
    await dashboard.receive_json_from()
    await dashboard.disconnect()
    assert [receipt.notification_id async for receipt in Receipt.objects.all()] == [missed["id"]]


async def test_it_hears_no_more_of_what_it_left(dashboard: WebsocketCommunicator) -> None:
    assert await dashboard.receive_json_from() == {"missed": 0}
    await dashboard.send_json_to({"leave": "news"})
    assert await dashboard.receive_json_from() == {"leave": "news"}
    await asend_to_channel("news", "no")
    await asend_to_all("all")
    assert await hear(dashboard) == "all"


async def test_it_ends_although_the_layer_is_away(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*args: Any) -> None:
        raise OSError

    ended: list[int] = []

    async def disconnect(self: Any, code: int) -> None:
        ended.append(code)

    monkeypatch.setattr(DashboardConsumer, "disconnect", disconnect)
    dashboard = await open_dashboard(settings)
    await dashboard.receive_json_from()
    monkeypatch.setattr(get_channel_layer(), "group_discard", fail)
    await dashboard.disconnect(code=1001)
    assert ended == [1001]


async def test_what_is_stored_while_it_connects_comes_once(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    join = DashboardConsumer.join_audiences

    async def join_and_be_sent_something(self: Any) -> Any:
        joined = await join(self)
        await asend_to_all("once", persist=True)
        return joined

    monkeypatch.setattr(DashboardConsumer, "join_audiences", join_and_be_sent_something)
    dashboard = await open_dashboard(settings)
    assert await hear(dashboard) == "once"
    assert await dashboard.receive_json_from() == {"missed": 1}
    await asend_to_all("next")
    assert await hear(dashboard) == "next"
    await dashboard.disconnect()
