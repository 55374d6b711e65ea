"""What one page may do: beyond each limit a defined answer, one log line, and nothing that a neighbour feels."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.core import signing

from channels_progress import asend_to_all
from channels_progress.consumers import consumer
from channels_progress.consumers.protocol import CloseCode
from tests.consumers.doubles import UnrulyStore
from tests.consumers.hearing import ALICE, BOB, NOBODY, OURS, ask, hear, opened, settle
from tests.consumers.sockets import make_socket, make_token
from tests.waiting import await_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def options(settings: Any, store: UnrulyStore) -> Callable[..., None]:
    """Sets more options."""

    def set_options(**more: Any) -> None:
        settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, **more}

    return set_options


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "channels_progress")
    return caplog


def large_frame(size: int) -> str:
    return json.dumps({"type": "ping", "more": "x" * size})


CLOSING: dict[str, tuple[dict[str, Any], list[str], str, int]] = {
    "a frame too large": ({}, [large_frame(4_096)], "frame too large", CloseCode.TOO_LARGE),
    "too many frames": ({"MAX_FRAMES_PER_S": 0.1}, [large_frame(1)] * 3, "too many frames", CloseCode.TOO_MANY),
    "too many questions": (
        {"MAX_FRAMES_PER_S": 0.1},
        [json.dumps({"type": "subscribe", "channels": ["a", "b", "c"]})],
        "too many frames",
        CloseCode.TOO_MANY,
    ),
    "another protocol": ({}, ['{"type":"task","v":1}'], "unknown type", CloseCode.UNKNOWN_TYPE),
}


@pytest.mark.parametrize(("more", "frames", "reason", "code"), CLOSING.values(), ids=CLOSING)
async def test_beyond_a_limit_a_socket_is_closed_and_its_neighbour_hears_on(
    options: Callable[..., None],
    log: pytest.LogCaptureFixture,
    more: dict[str, Any],
    frames: list[str],
    reason: str,
    code: int,
) -> None:
    async with opened(BOB) as neighbour, opened(ALICE, offers=OURS) as socket:
        await settle(neighbour)
        options(**more)
        for text in frames:
            await socket.send_to(text_data=text)
        outputs = [await socket.receive_output()]
        while outputs[-1]["type"] != "websocket.close":
            outputs.append(await socket.receive_output())
        assert outputs[-1] == {"type": "websocket.close", "code": code, "reason": reason}
        await asend_to_all("heard")
        assert await hear(neighbour) == "heard"
    assert [entry.getMessage() for entry in log.records if "closed" in entry.getMessage()] == [
        f"A socket is closed: {reason} ({int(code)})."
    ]


async def test_named_channels_count_like_as_many_frames(options: Callable[..., None]) -> None:
    asked: list[str] = []
    options(SUBSCRIPTION_AUTHORIZER=lambda user, name: asked.append(name), MAX_FRAMES_PER_S=0.5)
    async with opened(ALICE, offers=OURS) as socket:
        names = [f"c{number}" for number in range(12)]
        await socket.send_json_to({"type": "subscribe", "channels": names})
        assert (await socket.receive_output())["code"] == CloseCode.TOO_MANY
    assert asked == []


async def test_a_page_with_too_many_tasks_is_told_and_logged_once(
    options: Callable[..., None], log: pytest.LogCaptureFixture
) -> None:
    options(MAX_SUBSCRIPTIONS=1)
    alice = await User.objects.acreate_user("alice")
    token = make_token("a", "b", viewer=consumer.Viewer(alice))
    async with opened(alice, offers=OURS) as socket:
        assert await ask(socket, type="subscribe", token=token) == {"type": "refused", "v": 1, "reason": "limit"}
        await settle(socket)
    assert log.messages == ["A socket asks for more than MAX_SUBSCRIPTIONS: 2 more are refused."]


async def test_a_silent_socket_of_nobody_is_closed_with_one_line(
    options: Callable[..., None], log: pytest.LogCaptureFixture
) -> None:
    options(ENABLE_ANONYMOUS=True, SILENCE_S=0.05)
    async with opened(NOBODY, offers=OURS) as socket:
        assert (await socket.receive_output())["code"] == CloseCode.TOO_SLOW
    assert log.messages == ["A socket is closed: nothing subscribed to (4408)."]


async def test_a_handshake_with_thousands_of_tokens_costs_few_signatures(
    store: UnrulyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    work: Counter[str] = Counter()
    salted_hmac = signing.salted_hmac
    monkeypatch.setattr(signing, "salted_hmac", lambda *args, **more: work.update("s") or salted_hmac(*args, **more))
    socket = make_socket(offers=("channels-progress", *(f"{number}~x" for number in range(5_000))))
    assert await socket.connect() == (False, CloseCode.FORBIDDEN)
    assert work == {"s": consumer.TOKENS_OFFERED_MAX}


async def test_five_thousand_extra_channels_are_five_thousand_refusals_nobody_pays_for(
    options: Callable[..., None],
) -> None:
    asked: list[str] = []
    options(SUBSCRIPTION_AUTHORIZER=lambda user, name: asked.append(name))
    names = [f"c{number}" for number in range(5_000)]
    async with opened(ALICE, f"?extraChannels={quote(json.dumps(names))}") as socket, opened(BOB) as neighbour:
        await settle(socket)
        await settle(neighbour)
        await asend_to_all("heard")
        assert [await hear(socket), await hear(neighbour)] == ["heard", "heard"]
    assert asked == names[:64]


@pytest.mark.parametrize("name", ["task:", "x" * 301, "a\0b", "audience:staff", "audience:all", "tasks:everybody"])
async def test_a_channel_with_a_name_that_cannot_be_is_refused_unasked(options: Callable[..., None], name: str) -> None:
    asked: list[str] = []
    options(SUBSCRIPTION_AUTHORIZER=lambda user, channel: asked.append(channel) or True, ENABLE_ALL=False)
    async with opened(ALICE, offers=OURS) as socket:
        answer = await ask(socket, type="subscribe", channels=[name])
        assert answer == {"type": "refused", "v": 1, "channel": name}
    assert asked == []


async def test_sockets_of_one_viewer_are_limited_with_one_line(
    options: Callable[..., None], log: pytest.LogCaptureFixture
) -> None:
    options(MAX_SOCKETS_PER_VIEWER=1)
    async with opened(ALICE) as first, opened(ALICE) as second, opened(BOB) as neighbour:
        assert (await second.receive_output())["code"] == CloseCode.TOO_MANY
        for socket in (first, neighbour):
            await settle(socket)
    await await_until(lambda: log.messages == ["A socket is closed: too many sockets (4429)."])
