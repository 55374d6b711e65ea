"""Sockets that log in by a JSON web token, on our own route and on that of the reference."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.testing import WebsocketCommunicator
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.db import DatabaseError
from django.test import Client
from django.urls import path
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from channels_progress.asgi import with_websockets
from channels_progress.models import InboxItem
from channels_progress.notifications import anotify, marks
from channels_progress.rest import logins
from channels_progress.rest.routing import websocket_urlpatterns
from channels_progress.rest.sockets import JWTAuthMiddleware
from tests.consumers.hearing import ask
from tests.consumers.sockets import PATH, PatientCommunicator

pytestmark = [pytest.mark.django_db(transaction=True)]

REFERENCE = "/ws/me/notifications"
LOGIN_ENDED = {"type": "websocket.close", "code": 4401, "reason": "login ended"}
FORBIDDEN = {"type": "websocket.close", "code": 4403}
EMPTY = {
    "results": {
        "total_notifications": 0, "read_notifications": 0, "unread_notifications": 0, "notifications": []
    },
    "pagination": {"page": 1, "page_size": 25, "total_pages": 1, "total_items": 0},
}  # fmt: skip


class ProjectConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """Says whom it has been given, and what of the handshake."""

    async def connect(self) -> None:
        await self.accept(self.scope["subprotocols"][0])
        headers = [name.decode() for name, _ in self.scope["headers"]]
        session = list(self.scope["session"].keys())
        await self.send_json([str(self.scope["user"]), self.scope["subprotocols"], headers, session])


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice", password="secret")


def make_token(user: User, *, lifetime: timedelta = timedelta(minutes=5), **claims: Any) -> str:
    token = AccessToken.for_user(user)
    token.set_exp(lifetime=lifetime)
    token.payload.update(claims)
    return str(token)


def make_socket(where: str, *offers: str, cookie: str = "", origin: str = "") -> WebsocketCommunicator:
    """As a program opens it, which says no origin."""
    routes = [*websocket_urlpatterns, path("ws/project/", ProjectConsumer.as_asgi())]
    application = JWTAuthMiddleware(with_websockets(get_asgi_application(), *routes))
    given = {"host": "testserver", "cookie": cookie, "origin": origin, "sec-websocket-protocol": ", ".join(offers)}
    headers = [(name.encode(), value.encode()) for name, value in given.items() if value]
    return PatientCommunicator(application, where, headers=headers, subprotocols=list(offers))


@asynccontextmanager
async def opened(where: str, *offers: str, **options: Any) -> AsyncIterator[WebsocketCommunicator]:
    socket = make_socket(where, *offers, **options)
    is_accepted, protocol = await socket.connect()
    assert (is_accepted, protocol) == (True, offers[0] if offers else None)
    try:
        yield socket
    finally:
        await socket.disconnect()


async def refuse(where: str, *offers: str, **options: Any) -> None:
    socket = make_socket(where, *offers, **options)
    await socket.send_input({"type": "websocket.connect"})
    assert await socket.receive_output() == FORBIDDEN


async def make_cookie(user: User) -> str:
    client = Client()
    await sync_to_async(client.force_login)(user)
    name = django_settings.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}"


async def test_who_offers_a_token_is_logged_in_and_never_hears_it_again(alice: User) -> None:
    async with opened(PATH, "channels-progress", make_token(alice)) as socket:
        assert await ask(socket, type="inbox") == {"type": "inbox", "v": 1, **EMPTY}
        await anotify(alice, "heard")
        assert (await socket.receive_json_from())["results"]["unread_notifications"] == 1


async def test_a_projects_own_consumer_finds_the_user_and_nothing_else(alice: User) -> None:
    bob = await User.objects.acreate(username="bob")
    offers = ("channels-progress", make_token(alice), "chat")
    async with opened("/ws/project/", *offers, cookie=await make_cookie(bob)) as socket:
        # Not the cookies either: who has a token may come from another site, with those of a person who visits it.
        expected = ["alice", ["channels-progress", "chat"], ["host", "sec-websocket-protocol"], []]
        assert await socket.receive_json_from() == expected


async def test_without_a_token_all_is_as_it_was(alice: User) -> None:
    await refuse(PATH, "channels-progress")
    cookie = await make_cookie(alice)
    await refuse(PATH, "channels-progress", cookie=cookie, origin="https://evil.example")
    async with opened(PATH, "channels-progress", cookie=cookie, origin="http://testserver") as socket:
        assert await ask(socket, type="inbox") == {"type": "inbox", "v": 1, **EMPTY}


def expire(user: User) -> str:
    return make_token(user, lifetime=timedelta(seconds=-1))


def tamper(user: User) -> str:
    head, _, signature = make_token(user).split(".")
    _, claims, _ = make_token(User(pk=user.pk + 1, is_active=True)).split(".")
    return ".".join((head, claims, signature))


def refresh(user: User) -> str:
    return str(RefreshToken.for_user(user))


def claim_nobody(user: User) -> str:
    return make_token(user, user_id="x")


def claim_somebody_gone(user: User) -> str:
    return make_token(user, user_id=user.pk + 100)


def claim_no_date(user: User) -> str:
    return make_token(user, exp=10**30)


def deactivate(user: User) -> str:
    User.objects.filter(pk=user.pk).update(is_active=False)
    return make_token(user)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (expire, "Token is invalid or expired"),
        (tamper, "Token is invalid or expired"),
        (refresh, "Token is invalid or expired"),
        (claim_no_date, "Token is invalid or expired"),
        (claim_nobody, "User not found"),
        (claim_somebody_gone, "User not found"),
        (deactivate, None),
    ],
)
async def test_a_token_that_is_not_good_is_refused(
    alice: User, make: Callable[[User], str], reason: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    token = await sync_to_async(make)(alice)
    await refuse(PATH, "channels-progress", token)
    # Not even with the session of somebody who may.
    await refuse(PATH, "channels-progress", token, cookie=await make_cookie(alice), origin="http://testserver")
    if reason is None:
        await refuse(REFERENCE, token, origin="http://testserver")
    else:
        socket = make_socket(REFERENCE, token, origin="http://testserver")
        assert await socket.connect() == (True, token)
        assert await socket.receive_json_from() == {"error": reason}
        assert await socket.receive_output() == {"type": "websocket.close", "code": 1000}
    assert token not in caplog.text


@pytest.fixture
async def ends(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, Callable[[], None]]]:
    """In how many seconds sockets are to be closed, and what does it."""
    ends: list[tuple[float, Callable[[], None]]] = []
    loop = asyncio.get_running_loop()
    call_later = loop.call_later

    def note(delay_s: float, function: Callable[..., None], *args: Any, **options: Any) -> asyncio.TimerHandle:
        if getattr(function, "__name__", "") == "close_soon":
            ends.append((delay_s, function))
        return call_later(delay_s, function, *args, **options)

    monkeypatch.setattr(loop, "call_later", note)
    return ends


@pytest.mark.parametrize(("where", "ours"), [(PATH, ["channels-progress"]), (REFERENCE, []), ("/ws/project/", ["own"])])
async def test_an_expired_token_ends_its_socket(
    alice: User, where: str, ours: list[str], ends: list[tuple[float, Callable[[], None]]]
) -> None:
    async with opened(where, *ours, make_token(alice, lifetime=timedelta(minutes=5))) as socket:
        [(delay_s, end)] = ends
        assert 240 < delay_s <= 300
        end()
        while (output := await socket.receive_output())["type"] != "websocket.close":
            pass
        assert output == LOGIN_ENDED


@pytest.mark.parametrize("change", [{"is_active": False}, {"pk": None}])
@pytest.mark.parametrize(("where", "ours"), [(PATH, ["channels-progress"]), (REFERENCE, [])])
async def test_who_may_no_longer_log_in_loses_the_socket(
    alice: User, where: str, ours: list[str], change: dict[str, Any], settings: Any
) -> None:
    async with opened(where, *ours, make_token(alice)) as socket:
        if ours:
            await ask(socket, type="inbox")
        await (User.objects.filter(pk=alice.pk).aupdate(**change) if "pk" not in change else alice.adelete())
        settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "RECHECK_S": 0.05}
        while (output := await socket.receive_output())["type"] != "websocket.close":
            pass
        assert output == LOGIN_ENDED


async def test_a_database_that_is_away_lets_nobody_in(
    alice: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(token: str) -> Any:
        raise DatabaseError

    monkeypatch.setattr(logins, "log_in", fail)
    await refuse(PATH, "channels-progress", make_token(alice))
    assert caplog.messages == ["Whose token it is cannot be found out."]


async def test_a_client_of_the_reference_is_answered_in_its_shapes(alice: User) -> None:
    for number in range(3):
        await anotify(alice, f"{number}")
    async with opened(REFERENCE, make_token(alice)) as socket:
        assert read(await socket.receive_json_from()) == (["2", "1", "0"], 0, 3, (1, 25, 1, 3))
        assert read(await ask(socket, page=2, page_size=2)) == (["0"], 0, 3, (2, 2, 2, 3))
        assert read(await ask(socket, is_read=False)) == (["2", "1", "0"], 0, 3, (1, 25, 1, 3))
        oldest = await InboxItem.objects.aearliest("pk")
        await sync_to_async(marks.mark_read)(alice, [oldest.uid])
        # Live, and with the filter kept.
        assert read(await socket.receive_json_from()) == (["2", "1"], 1, 2, (1, 25, 1, 2))
        assert read(await ask(socket, is_read=True)) == (["0"], 1, 2, (1, 25, 1, 1))


def read(frame: dict[str, Any]) -> tuple[Any, ...]:
    """The texts, the read and unread counts, and the pagination."""
    assert frame.keys() == {"results", "pagination"}
    texts = [item["notification"]["message"] for item in frame["results"]["notifications"]]
    counts = frame["results"]["read_notifications"], frame["results"]["unread_notifications"]
    return texts, *counts, tuple(frame["pagination"].values())


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", "a JSON object is expected"),
        ("[1]", "a JSON object is expected"),
        ("[" * 4_000, "a JSON object is expected"),
        ('{"page": "x"}', "page: a number from 1 is expected"),
        ('{"page": 1e999}', "page: a number from 1 is expected"),
        ('{"page": 7}', "page: there is no page 7"),
        ('{"page_size": 0}', "page_size: a number from 1 is expected"),
        ('{"page_size": 1000}', "page_size: at most 100 is expected"),
        ('{"is_read": [true]}', "is_read: true or false is expected"),
    ],
)
async def test_what_the_reference_dies_of_is_answered(alice: User, text: str, error: str) -> None:
    async with opened(REFERENCE, make_token(alice)) as socket:
        assert await socket.receive_json_from() == EMPTY
        await socket.send_to(text_data=text)
        assert await socket.receive_json_from() == {"error": error}
        assert await ask(socket, is_read=None) == EMPTY
        await socket.send_to(bytes_data=b"{}")
        assert await socket.receive_json_from() == {"error": "a JSON object is expected"}


async def test_on_the_route_of_the_reference_a_session_will_do_from_the_sites_own_origin(alice: User) -> None:
    cookie = await make_cookie(alice)
    async with opened(REFERENCE, cookie=cookie, origin="http://testserver") as socket:
        assert await socket.receive_json_from() == EMPTY
    await refuse(REFERENCE, cookie=cookie, origin="https://evil.example")


async def test_on_the_route_of_the_reference_nobody_is_told_what_to_bring() -> None:
    async with opened(REFERENCE, origin="http://testserver") as socket:
        assert await socket.receive_json_from() == {"error": "Provide an access token in the subprotocols"}
        assert await socket.receive_output() == {"type": "websocket.close", "code": 1000}


async def test_that_route_needs_no_middleware_for_pages_of_the_site(alice: User) -> None:
    application = with_websockets(get_asgi_application(), *websocket_urlpatterns)
    token = make_token(alice)
    headers = [(b"host", b"testserver"), (b"origin", b"http://testserver")]
    socket = PatientCommunicator(application, REFERENCE, headers=headers, subprotocols=[token])
    assert await socket.connect() == (True, token)
    assert await socket.receive_json_from() == EMPTY
    await socket.disconnect()


async def test_a_client_that_sends_too_much_is_closed(alice: User, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "MAX_FRAMES_PER_S": 1.0}
    async with opened(REFERENCE, make_token(alice)) as socket:
        for _ in range(5):
            await socket.send_to(text_data=json.dumps({"page": 1}))
        while "code" not in (output := await socket.receive_output()):
            pass
        assert output == {"type": "websocket.close", "code": 4429, "reason": "too many frames"}
