"""The consumer behind each socket, through the whole ASGI application."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator

from channels_progress.consumers import subscriptions, visitors
from channels_progress.consumers.consumer import ProgressConsumer
from channels_progress.consumers.protocol import CloseCode
from channels_progress.records import Message
from channels_progress.tokens import issue_subscription_token
from channels_progress.viewers import Viewer
from tests.consumers.doubles import UnrulyStore
from tests.consumers.sockets import VISITOR, make_session_cookie, make_socket, make_token, visiting
from tests.waiting import await_until

# No query is made, but Django looks after old connections around whatever might make one.
pytestmark = pytest.mark.django_db(transaction=True)

SUBSCRIBED = {"type": "subscribed", "v": 1, "channel": "task:t"}
REFUSED = {"type": "refused", "v": 1}


@pytest.fixture(autouse=True)
def signed_cookie_sessions(settings: Any) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"


async def ask(socket: WebsocketCommunicator, **frame: Any) -> Any:
    await socket.send_json_to(frame)
    return await socket.receive_json_from()


async def test_task_is_shown_from_its_reading_to_its_end(store: UnrulyStore) -> None:
    begun = store.begin("t", delivery="d", owner="", body='{"title":"Import"}')
    async with visiting() as socket:
        assert await ask(socket, type="subscribe", token=make_token("t")) == SUBSCRIBED
        reading = await socket.receive_json_from()
        store.finish("t", "SUCCESS")
        ending = await socket.receive_json_from()
    record = store.read("t").record
    state = {
        "state": "STARTED",
        "liveness": "live",
        "cancelling": False,
        "reason": "",
        "parent": "",
        "created_at": record.created_at,
        "began_at": record.began_at,
        "ended_at": 0,
        "retry_at": 0,
        "title": "Import",
    }
    head = {"type": "task", "v": 1, "channel": "task:t", "epoch": begun.epoch, "attempt": 1}
    tail = {"messages": [], "recovered": True}
    assert reading == {**head, "seq": reading["seq"], "now": reading["now"], "state": state, **tail}
    state |= {"state": "SUCCESS", "liveness": None, "ended_at": record.ended_at}
    assert ending == {**head, "seq": reading["seq"] + 1, "now": ending["now"], "state": state, **tail}


async def test_every_channel_of_a_token_is_answered(store: UnrulyStore) -> None:
    async with visiting() as socket:
        await socket.send_json_to({"type": "subscribe", "token": make_token("t", "u")})
        answers = [await socket.receive_json_from() for _ in "tu"]
        assert answers == [SUBSCRIBED, {**SUBSCRIBED, "channel": "task:u"}]


async def test_channel_picks_one_of_a_token(store: UnrulyStore) -> None:
    async with visiting() as socket:
        token = make_token("t", "u")
        assert (await ask(socket, type="subscribe", token=token, channel="task:u"))["channel"] == "task:u"
        assert await socket.receive_nothing()
        assert store.calls == [("join", "task:u")]
        answer = await ask(socket, type="subscribe", token=token, channel="task:x")
        assert answer == {**REFUSED, "channel": "task:x"}


async def test_replay_begins_after_what_the_page_has(store: UnrulyStore) -> None:
    begun = store.begin("t", delivery="d", owner="", body="{}")
    store.finish("t", "FAILURE", messages=[Message("info", text) for text in "abc"])
    async with visiting() as socket:
        await ask(socket, type="subscribe", token=make_token("t"), since={"task:t": [begun.epoch, 2]})
        frame = await socket.receive_json_from()
        assert ([message["text"] for message in frame["messages"]], frame["recovered"]) == (["c"], True)


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        "a~b",
        "é",
        pytest.param(lambda: make_token("t", viewer=Viewer(None, "somebody else")), id="foreign"),
        pytest.param(lambda: make_token("t") + "x", id="tampered"),
        pytest.param(lambda: make_token("t", ttl=1e-9), id="expired"),
    ],
)
@pytest.mark.parametrize("known", [True, False])
async def test_bad_tokens_are_refused_alike(store: UnrulyStore, token: Any, known: bool) -> None:
    if known:
        store.begin("t", delivery="d", owner="", body="{}")
    async with visiting() as socket:
        token = token() if callable(token) else token
        assert await ask(socket, type="subscribe", token=token) == REFUSED
        assert await ask(socket, type="subscribe", token=token, channel="task:t") == {**REFUSED, "channel": "task:t"}
        # One bad token does not cost the page its socket.
        assert await ask(socket, type="ping") == {"type": "pong", "v": 1}
    assert store.calls == []


async def test_channels_that_nothing_comes_on_are_refused(store: UnrulyStore) -> None:
    async with visiting() as socket:
        token = issue_subscription_token(VISITOR, ["audience:all", "task:"])
        assert await ask(socket, type="subscribe", token=token) == REFUSED


async def test_unsubscribed_task_is_no_longer_shown(store: UnrulyStore) -> None:
    async with visiting() as socket:
        await ask(socket, type="subscribe", token=make_token("t"))
        await socket.send_json_to({"type": "unsubscribe", "channel": "task:other"})
        await socket.send_json_to({"type": "unsubscribe", "channel": "task:t"})
        await await_until(lambda: store.calls == [("join", "task:t"), ("leave", "task:t")])
        store.begin("t", delivery="d", owner="", body="{}")
        assert await ask(socket, type="ping") == {"type": "pong", "v": 1}


async def test_subscriptions_are_limited(store: UnrulyStore, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "MAX_SUBSCRIPTIONS": 2}
    async with visiting() as socket:
        for uid in "ab":
            await ask(socket, type="subscribe", token=make_token(uid))
        answer = await ask(socket, type="subscribe", token=make_token("c"), channel="task:c")
        assert answer == {**REFUSED, "channel": "task:c", "reason": "limit"}
        assert (await ask(socket, type="subscribe", token=make_token("a")))["type"] == "subscribed"
        await socket.send_json_to({"type": "unsubscribe", "channel": "task:b"})
        assert (await ask(socket, type="subscribe", token=make_token("c")))["type"] == "subscribed"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("[1,2", 4400),
        ("null", 4400),
        ("[" * 4000, 4400),
        (b"\x00\xff", 4400),
        ('{"type":"connect"}', 4404),
        ('{"type":"ping","x":"' + "x" * 4096 + '"}', 4413),
    ],
)
async def test_frames_of_another_protocol_close_the_socket(
    store: UnrulyStore, caplog: pytest.LogCaptureFixture, frame: str | bytes, code: int
) -> None:
    async with visiting() as socket:
        await socket.send_to(**({"text_data": frame} if isinstance(frame, str) else {"bytes_data": frame}))
        closing = await socket.receive_output()
        assert closing == {"type": "websocket.close", "code": code, "reason": closing["reason"]}
        # The consumer is over by itself, whether or not the page answers.
        await socket.wait()
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


async def test_empty_frame_closes_the_socket(store: UnrulyStore) -> None:
    async with visiting() as socket:
        await socket.send_input({"type": "websocket.receive", "text": "", "bytes": None})
        assert (await socket.receive_output())["code"] == CloseCode.MALFORMED


async def test_defect_closes_the_socket_and_is_logged_once(
    store: UnrulyStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(subscriptions, "verify_subscription_token", lambda token, viewer: 1 / 0)
    async with visiting() as socket:
        await socket.send_json_to({"type": "subscribe", "token": "secret"})
        closing = {"type": "websocket.close", "code": CloseCode.SERVER_ERROR, "reason": "server error"}
        assert await socket.receive_output() == closing
    assert [record.levelname for record in caplog.records if record.levelno > logging.INFO] == ["ERROR"]
    assert "secret" not in caplog.text


async def test_anonymous_socket_without_a_token_is_closed_before_accept(store: UnrulyStore) -> None:
    for cookie in ("", make_session_cookie(), "sessionid=nonsense"):
        assert await make_socket(cookie=cookie).connect() == (False, CloseCode.FORBIDDEN)
    assert await make_socket(offers=("channels-progress", "not~atoken")).connect() == (False, CloseCode.FORBIDDEN)
    expired = make_token("t", ttl=1e-9)
    assert await make_socket(offers=("channels-progress", expired)).connect() == (False, CloseCode.FORBIDDEN)
    assert store.feeds == []


async def test_anonymous_socket_may_be_allowed(store: UnrulyStore, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "ENABLE_ANONYMOUS": True}
    socket = make_socket()
    assert await socket.connect() == (True, "channels-progress")
    assert await ask(socket, type="subscribe", token=make_token("t")) == REFUSED
    await socket.disconnect()


async def test_page_that_goes_before_it_is_answered_is_no_error(
    store: UnrulyStore, caplog: pytest.LogCaptureFixture
) -> None:
    async def send(message: Any) -> None:
        raise OSError("gone")

    for offers in ((), (make_token("t"),)):
        socket = make_socket(offers=offers)
        await socket.send_input({"type": "websocket.connect"})
        await socket.application(socket.scope, socket.input_queue.get, send)
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


async def test_token_beside_the_subprotocol_is_never_answered(store: UnrulyStore) -> None:
    token = make_token("t")
    for offers, answer in (((token, "channels-progress"), "channels-progress"), ((token,), None), ((), None)):
        socket = make_socket(offers=offers, cookie=make_session_cookie())
        await socket.send_input({"type": "websocket.connect"})
        response = await socket.receive_output()
        if offers:
            assert response == {"type": "websocket.accept", "subprotocol": answer}
            await socket.disconnect()
        else:
            assert response["type"] == "websocket.close"


async def test_session_is_loaded_once_and_only_where_it_is_needed(
    store: UnrulyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = []
    load = visitors._load
    monkeypatch.setattr(visitors, "_load", lambda key: loads.append(key) or load(key))
    async with visiting() as socket:
        await ask(socket, type="ping")
        assert loads == []
        for uid in "abc":
            await ask(socket, type="subscribe", token=make_token(uid))
        assert len(loads) == 1
    assert await make_socket().connect() == (False, CloseCode.FORBIDDEN)
    assert len(loads) == 1


async def test_consumer_has_no_channel_of_its_own(store: UnrulyStore) -> None:
    assert ProgressConsumer.channel_layer_alias is None
    async with visiting() as socket:
        await ask(socket, type="subscribe", token=make_token("t"))
        assert get_channel_layer().channels == {}


async def test_frames_do_not_pass_through_the_thread_of_orm_work(
    store: UnrulyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse() -> None:
        raise AssertionError

    monkeypatch.setattr("channels.consumer.aclose_old_connections", refuse)
    async with visiting() as socket:
        assert await ask(socket, type="ping") == {"type": "pong", "v": 1}


async def test_disconnect_leaves_everything(store: UnrulyStore) -> None:
    before = asyncio.all_tasks()
    async with visiting() as socket:
        await ask(socket, type="subscribe", token=make_token("t"))
    await await_until(lambda: asyncio.all_tasks() == before)
    assert store.feeds[0].closed


async def test_cancelled_consumer_leaves_everything(store: UnrulyStore) -> None:
    before = asyncio.all_tasks()
    socket = make_socket(offers=("channels-progress", make_token("t")), cookie=make_session_cookie())
    await socket.connect()
    store.gate.clear()
    await socket.send_json_to({"type": "subscribe", "token": make_token("t")})
    await await_until(lambda: store.calls)
    socket.future.cancel()
    with pytest.raises(asyncio.CancelledError):
        await socket.future
    await await_until(lambda: asyncio.all_tasks() == before)
    assert store.feeds[0].closed
