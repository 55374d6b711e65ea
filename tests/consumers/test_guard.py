"""What was allowed once is asked again while a socket lives; limits of one page cost nobody else anything."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client

from channels_progress import asend_to_all, asend_to_channel, asend_to_user, inbox
from channels_progress.audiences import ALL, channel_audience
from channels_progress.broadcast_events import message_event
from channels_progress.consumers import audience_hub, consumer, guarded, subscriptions, visitors
from channels_progress.consumers.audience_hub import AudienceHub
from channels_progress.consumers.guard import get_guard
from channels_progress.tokens import issue_subscription_token
from channels_progress.viewers import Viewer
from tests.consumers.doubles import UnrulyStore
from tests.consumers.hearing import NOBODY, OURS, ask, hear, opened, settle, subscribed
from tests.consumers.sockets import make_socket, make_token
from tests.waiting import WITHIN_S, await_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("settled")]

LOGIN_ENDED, TOO_SLOW, TOO_MANY = 4401, 4408, 4429
SOON = {"RECHECK_S": 0.05}


@pytest.fixture
def options(settings: Any, store: UnrulyStore) -> Callable[..., None]:
    """Sets more options."""

    def set_options(**options: Any) -> None:
        settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, **options}

    return set_options


@pytest.fixture
def rechecks(monkeypatch: pytest.MonkeyPatch) -> list[Viewer]:
    """Whom the guard has found behind sockets."""
    found: list[Viewer] = []

    async def reload_viewer(scope: dict[str, Any]) -> Viewer:
        found.append(await visitors.reload_viewer(scope))
        return found[-1]

    monkeypatch.setattr(guarded, "reload_viewer", reload_viewer)
    return found


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice", password="secret")


async def open_with_login(user: User) -> tuple[WebsocketCommunicator, Client]:
    """A socket with the session cookie of a login, and the browser that has it."""
    client = Client()
    await sync_to_async(client.force_login)(user)
    name = django_settings.SESSION_COOKIE_NAME
    socket = make_socket(cookie=f"{name}={client.cookies[name].value}")
    assert await socket.connect() == (True, "channels-progress")
    return socket, client


async def log_out(user: User, client: Client) -> None:
    await sync_to_async(client.logout)()


async def change_password(user: User, client: Client) -> None:
    user.set_password("another")
    await user.asave()


async def deactivate(user: User, client: Client) -> None:
    await User.objects.filter(pk=user.pk).aupdate(is_active=False)


async def delete(user: User, client: Client) -> None:
    await User.objects.filter(pk=user.pk).adelete()


@pytest.mark.parametrize("end", [log_out, change_password, deactivate, delete])
async def test_a_login_that_has_ended_ends_its_sockets(
    options: Callable[..., None], alice: User, end: Callable[[User, Client], Awaitable[None]]
) -> None:
    socket, client = await open_with_login(alice)
    assert await ask(socket, type="subscribe", channels=[f"user:{alice.pk}"]) == subscribed(f"user:{alice.pk}")
    await end(alice, client)
    options(**SOON)
    assert await socket.receive_output() == {
        "type": "websocket.close",
        "code": LOGIN_ENDED,
        "reason": "login ended",
    }


async def test_a_login_that_goes_on_keeps_its_sockets(
    options: Callable[..., None], alice: User, rechecks: list[Viewer]
) -> None:
    options(**SOON)
    socket, _ = await open_with_login(alice)
    assert await ask(socket, type="subscribe", channels=[f"user:{alice.pk}"]) == subscribed(f"user:{alice.pk}")
    await await_until(lambda: len(rechecks) > 3)
    await asend_to_user(alice, "still here")
    assert await hear(socket) == "still here"
    await socket.disconnect()


async def test_an_authorizer_that_changes_its_mind_ends_the_subscription(
    options: Callable[..., None], alice: User
) -> None:
    allowed = ["news", "other"]
    options(SUBSCRIPTION_AUTHORIZER=lambda user, name: name in allowed, **SOON)
    token = issue_subscription_token(Viewer(alice), ["other"], is_asked=True)
    async with opened(alice, offers=OURS) as socket:
        assert await ask(socket, type="subscribe", channels=["news"]) == subscribed("news")
        assert await ask(socket, type="subscribe", token=token) == subscribed("other")
        allowed.clear()
        frames = [await socket.receive_json_from() for _ in range(2)]
        assert frames == [{"type": "refused", "v": 1, "channel": name} for name in ("news", "other")]
        await asend_to_channel("news", "no")
        await asend_to_channel("other", "no")
        # Knowing where one was, and a token that is young, do not help.
        assert await ask(socket, type="subscribe", token=token) == {"type": "refused", "v": 1}
        answer = await ask(socket, type="subscribe", channels=["news"], since={"news": ["", 1]})
        assert answer == {"type": "refused", "v": 1, "channel": "news"}


async def test_an_audience_that_is_switched_off_is_left(options: Callable[..., None], alice: User) -> None:
    async with opened(alice, offers=OURS) as socket:
        await socket.send_json_to({"type": "subscribe", "audiences": True})
        for _ in range(3):
            await socket.receive_json_from()
        options(ENABLE_ALL=False, **SOON)
        assert await socket.receive_json_from() == {"type": "refused", "v": 1, "channel": "audience:all"}


async def test_a_token_counts_until_it_expires(
    options: Callable[..., None], alice: User, store: UnrulyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    options(**SOON)
    store.begin("own", delivery="d", owner=f"user:{alice.pk}", body="{}")
    store.begin("shown", delivery="d", owner="", body="{}")
    token = make_token("own", "shown", viewer=Viewer(alice), ttl=3_600)
    async with opened(alice, offers=OURS) as socket:
        await socket.send_json_to({"type": "subscribe", "token": token})
        frames = [await socket.receive_json_from() for _ in range(4)]
        assert [frame["type"] for frame in frames] == ["subscribed", "task"] * 2
        monkeypatch.setattr(subscriptions, "time", SimpleNamespace(time=lambda: time.time() + 3_601))
        # What is theirs stays theirs; what a view has shown them was shown for so long.
        assert await socket.receive_json_from() == {"type": "refused", "v": 1, "channel": "task:shown"}
        store.finish("own", "SUCCESS")
        assert (await socket.receive_json_from())["channel"] == "task:own"


async def test_what_cannot_be_asked_stays_as_it_is(
    options: Callable[..., None], alice: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(scope: dict[str, Any]) -> Viewer:
        raise DatabaseError

    monkeypatch.setattr(guarded, "reload_viewer", fail)
    options(**SOON)
    async with opened(alice) as socket:
        await await_until(lambda: "1 sockets could not be checked for now." in caplog.messages)
        await asend_to_all("heard")
        assert await hear(socket) == "heard"


async def test_a_socket_of_nobody_that_does_nothing_is_closed(options: Callable[..., None]) -> None:
    options(ENABLE_ANONYMOUS=True, SILENCE_S=0.05)
    async with opened(NOBODY, offers=OURS) as socket, opened(NOBODY) as listening:
        assert (await socket.receive_output())["code"] == TOO_SLOW
        await asend_to_all("heard")
        assert await hear(listening) == "heard"


async def test_a_page_that_sends_too_much_is_closed(options: Callable[..., None], alice: User) -> None:
    options(MAX_FRAMES_PER_S=0.5)
    async with opened(alice) as socket, opened(alice) as neighbour:
        for _ in range(guarded.BURST_S):
            await socket.send_json_to({"type": "ping"})
        output = {"code": 0}
        while "code" not in (output := await socket.receive_output()):
            await socket.send_json_to({"type": "ping"})
        assert output == {"type": "websocket.close", "code": TOO_MANY, "reason": "too many frames"}
        await settle(neighbour)


async def test_a_page_that_resumes_much_at_once_is_not(alice: User, store: UnrulyStore) -> None:
    async with opened(alice, offers=OURS) as socket:
        for number in range(1, 5_000):
            await socket.send_json_to({"type": "ack_message", "id": number})
        await settle(socket)


async def test_nobody_has_any_number_of_sockets(options: Callable[..., None], alice: User) -> None:
    options(MAX_SOCKETS_PER_VIEWER=2)
    bob = User(pk=alice.pk + 1)
    async with opened(alice) as first, opened(alice) as second:
        async with opened(alice) as third, opened(bob) as other:
            assert await third.receive_output() == {
                "type": "websocket.close", "code": TOO_MANY, "reason": "too many sockets"
            }  # fmt: skip
            for socket in (first, second, other):
                await settle(socket)
        await first.disconnect()
        async with opened(alice) as fourth:
            await settle(fourth)


async def test_a_socket_that_goes_while_it_is_checked_is_no_error(
    options: Callable[..., None], alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def authorize(user: Any, channel: str) -> bool:
        if rechecking:
            asked.set()
            answer.wait(WITHIN_S)
        return not rechecking

    rechecking: list[bool] = []
    options(SUBSCRIPTION_AUTHORIZER=authorize)
    async with opened(alice) as neighbour, opened(alice, offers=OURS) as socket:
        assert await ask(socket, type="subscribe", channels=["news"]) == subscribed("news")
        rechecking.append(True)
        options(SUBSCRIPTION_AUTHORIZER=authorize, **SOON)
        await await_until(asked.is_set)
        await socket.disconnect()
        answer.set()
        checked_at = get_guard()._sockets.copy().pop().checked_at
        await await_until(lambda: get_guard()._sockets.copy().pop().checked_at > checked_at)
        await settle(neighbour)
    assert caplog.messages == []


async def test_what_is_lost_while_it_is_joined_is_not_had(
    options: Callable[..., None], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    join, allowed = AudienceHub.join, ["news"]

    async def join_slowly(hub: AudienceHub, listener: Any, channels: Any) -> None:
        await join(hub, listener, channels)
        if "news" in channels:
            allowed.clear()
            await await_until(lambda: hub.get_channels(listener) == set())

    monkeypatch.setattr(AudienceHub, "join", join_slowly)
    options(SUBSCRIPTION_AUTHORIZER=lambda user, name: name in allowed, **SOON)
    async with opened(alice, offers=OURS) as socket:
        refused = {"type": "refused", "v": 1, "channel": "news"}
        assert await ask(socket, type="subscribe", channels=["news"]) == refused
        await sync_to_async(inbox.store)(channel_audience("news"), message_event("secret"), timedelta(hours=1))
        await asend_to_channel("news", "secret")
        await socket.send_json_to({"type": "subscribe", "channels": [f"user:{alice.pk}"]})
        await asend_to_user(alice, "heard")
        assert await socket.receive_json_from() == subscribed(f"user:{alice.pk}")


@pytest.mark.parametrize("steps", range(0, 40, 3))
async def test_a_socket_that_ends_anywhere_leaves_nothing(
    options: Callable[..., None], alice: User, steps: int
) -> None:
    options(SUBSCRIPTION_AUTHORIZER=lambda user, name: True)
    await sync_to_async(inbox.store)(ALL, message_event("waiting"), timedelta(hours=1))
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    incoming.put_nowait({"type": "websocket.connect"})
    for frame in ({"type": "subscribe", "audiences": True}, {"type": "subscribe", "channels": ["news"]}):
        incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(frame)})
    incoming.put_nowait({"type": "websocket.receive", "text": '{"type":"ack_message","id":1}'})
    incoming.put_nowait({"type": "websocket.receive", "text": '{"type":"unsubscribe","channel":"news"}'})

    async def send(message: dict[str, Any]) -> None:
        await asyncio.sleep(0)

    scope = {"type": "websocket", "path": "/", "user": alice, "subprotocols": ["channels-progress"], "headers": []}
    work = asyncio.create_task(consumer.ProgressConsumer.as_asgi()(scope, incoming.get, send))
    # Threads take their time: each turn is one of theirs, too.
    for _ in range(steps):
        await sync_to_async(int)()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await await_until(lambda: len(asyncio.all_tasks()) == 1)
    guard = get_guard()
    assert (guard._sockets, guard._owners, guard._counts, guard._watch) == (set(), {}, {}, None)
    assert not audience_hub._hubs.get(asyncio.get_running_loop())
