"""What is sent to very many at once reaches the pages of each, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User

from channels_progress import asend_to_all, asend_to_user
from channels_progress.audiences import channel_audience
from channels_progress.broadcast_events import message_event
from channels_progress.consumers import audience_hub
from channels_progress.consumers.mixins import AudienceConsumerMixin
from channels_progress.notifications import anotify
from channels_progress.send import send_many
from tests.consumers.hearing import ALICE, BOB, OURS, ask, hear, opened, settle
from tests.waiting import await_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("settled", "store")]

CROWD = [channel_audience(f"user:{number}") for number in range(2, 1_003)]


class DashboardConsumer(AudienceConsumerMixin, AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    async def connect(self) -> None:
        await self.accept()
        await self.send_json(await self.join_audiences())


async def test_a_crowd_hears_it_once_and_others_do_not() -> None:
    async with opened(ALICE) as alice, opened(BOB) as bob, opened(BOB, "?page=bob-page-1") as bobs_other:
        for socket in (alice, bob, bobs_other):
            await settle(socket)
        await sync_to_async(send_many)(CROWD, message_event("for the crowd"), exclude="bob-page-1")
        await asend_to_all("for all")
        frame = await bob.receive_json_from()
        assert (frame["text"], frame["channel"]) == ("for the crowd", "user:2")
        assert [await hear(socket) for socket in (bob, alice, bobs_other)] == ["for all"] * 3


async def test_it_is_the_same_frame_as_for_one() -> None:
    async with opened(BOB) as bob:
        await settle(bob)
        await sync_to_async(send_many)(CROWD, message_event("Hello"))
        await asend_to_user(BOB, "Hello")
        frames = [await bob.receive_from() for _ in range(2)]
        assert frames[0] == frames[1]


async def test_inboxes_of_a_crowd_are_told() -> None:
    people = [await User.objects.acreate(username=f"u{number}") for number in range(25)]
    async with opened(people[3], offers=OURS) as socket:
        await ask(socket, type="inbox")
        await anotify(people, "for the crowd")
        assert (await socket.receive_json_from())["results"]["unread_notifications"] == 1


async def test_a_projects_own_consumer_hears_it_too() -> None:
    socket = WebsocketCommunicator(DashboardConsumer.as_asgi(), "/ws/")
    socket.scope["user"] = BOB
    await socket.connect()
    assert "user:2" in await socket.receive_json_from()
    await sync_to_async(send_many)(CROWD, message_event("for the crowd"))
    await asend_to_all("for all")
    assert [await hear(socket) for _ in range(2)] == ["for the crowd", "for all"]
    await socket.disconnect()


async def test_the_group_of_crowds_is_left_with_the_last_socket(settings: Any) -> None:
    settings.CHANNEL_LAYERS = settings.CHANNEL_LAYERS.copy()
    async with opened(BOB) as bob:
        await settle(bob)
        layer = audience_hub.get_audience_hub()._feed._layer
        assert "channels_progress.audience.crowd" in layer.groups
    await await_until(lambda: not audience_hub._tasks)
    assert layer.groups == {}
