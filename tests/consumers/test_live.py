"""Real servers, a real Redis, real sockets."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from websockets.exceptions import InvalidStatus

from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import Message, Stamp
from channels_progress.store import Store, get_store
from channels_progress.store.names import name_hints, name_task
from example_project.embedded_redis import EmbeddedRedis
from tests.consumers.live import Server, receive, receive_all, receive_until, serving, subscribe
from tests.consumers.sockets import make_token
from tests.waiting import PATIENT, await_until, wait_until

pytestmark = pytest.mark.live

SUBSCRIBED = {"type": "subscribed", "v": 1, "channel": "task:t"}
TROUBLE = ("Traceback", "Error", "destroyed", "never awaited", "never retrieved", "Warning")

Serve = Callable[..., Server]


@pytest.fixture
def namespace() -> str:
    return f"live-{secrets.token_hex(6)}"


@pytest.fixture
def start_server(settings: Any, namespace: str, tmp_path: Path) -> Iterator[Serve]:
    """Starts a server on a Redis, and gives this process the same store. Resync only after gaps, unless asked for."""
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    with ExitStack() as stack:

        def start(url: str, kind: str = "uvicorn", **changes: Any) -> Server:
            shared = {"STORE": url, "NAMESPACE": namespace, "RECORD_TTL_S": 60, "RESYNC_S": 60.0, **changes}
            settings.CHANNELS_PROGRESS = shared
            return stack.enter_context(serving(kind, tmp_path, **shared))

        yield start


@pytest.fixture
def serve(start_server: Serve, redis_url: str) -> Serve:
    """The same, on the shared Redis."""
    return lambda *args, **changes: start_server(redis_url, *args, **{**PATIENT, **changes})


def begin(store: Store, uid: str = "t") -> Stamp:
    begun = store.begin(uid, delivery="d", owner="", body='{"title":"Import"}')
    return Stamp(uid, begun.epoch, begun.attempt)


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_task_is_followed_to_its_end_and_the_server_stops_cleanly(serve: Serve, kind: str) -> None:
    server = serve(kind)
    stamp = begin(get_store())
    async with server.open() as page, server.open() as idle:
        assert (page.subprotocol, idle.subprotocol) == ("channels-progress",) * 2
        subscribed, reading = await subscribe(page, "t")
        assert (subscribed, reading["state"]["state"]) == (SUBSCRIBED, "STARTED")
        get_store().write(stamp, body="{}", messages=[Message("info", "half way")])
        get_store().finish("t", "SUCCESS")
        frames = await receive_until(page, "SUCCESS")
        assert [message["text"] for frame in frames for message in frame["messages"]] == ["half way"]
        await asyncio.to_thread(server.stop)
    assert [word for word in TROUBLE if word in server.log] == []


async def test_all_sockets_of_a_task_share_one_subscription_in_redis(
    serve: Serve, redis_url: str, namespace: str
) -> None:
    server, client = serve(), redis.Redis.from_url(redis_url)
    names = [name_hints(namespace, f"task:{uid}") for uid in "tu"]

    def subscriptions() -> list[int]:
        return [count for _, count in client.pubsub_numsub(*names)]

    async with server.open("t") as one, server.open("t", "u") as two:
        await subscribe_all(one, two)
        assert subscriptions() == [1, 1]
        await one.send(json.dumps({"type": "unsubscribe", "channel": "task:t"}))
        await one.send(json.dumps({"type": "ping"}))
        assert await receive(one) == {"type": "pong", "v": 1}
        assert subscriptions() == [1, 1]
        await two.close()
        await await_until(lambda: subscriptions() == [0, 0])
    client.close()


async def subscribe_all(one: Any, two: Any) -> None:
    """Records first: a task without one has no reading."""
    for uid in "tu":
        begin(get_store(), uid)
    await subscribe(one, "t")
    await subscribe(two, "t", "u")


async def test_lost_hint_is_healed_by_the_resync(serve: Serve, redis_url: str, namespace: str) -> None:
    server, client = serve(RESYNC_S=0.5), redis.Redis.from_url(redis_url)
    begin(get_store())
    async with server.open() as page:
        _, reading = await subscribe(page, "t")
        # An ending that nobody announces.
        client.hset(name_task(namespace, "t").task, mapping={"state": "SUCCESS", "seq": reading["seq"] + 1})
        frames = await receive_until(page, "SUCCESS")
        assert [frame["type"] for frame in frames] == ["subscribed", "task"]
    client.close()


async def test_ending_written_while_hints_are_cut_off_arrives_without_waiting_for_the_resync(
    start_server: Serve, own_redis: EmbeddedRedis
) -> None:
    server, client = start_server(own_redis.url), redis.Redis.from_url(own_redis.url)
    begin(get_store())
    async with server.open() as page:
        await subscribe(page, "t")
        client.client_kill_filter(_type="pubsub")
        get_store().finish("t", "SUCCESS")
        assert (await receive_until(page, "SUCCESS"))[-1]["channel"] == "task:t"
    client.close()


async def test_page_goes_on_after_redis_was_restarted_without_its_data(
    start_server: Serve, own_redis: EmbeddedRedis
) -> None:
    server = start_server(own_redis.url)
    begin(get_store())
    async with server.open() as page:
        await subscribe(page, "t")
        own_redis.stop()
        own_redis.start()
        await await_until(lambda: begins_again("t"))
        get_store().finish("t", "SUCCESS")
        assert (await receive_until(page, "SUCCESS"))[-1]["channel"] == "task:t"


def begins_again(uid: str) -> bool:
    try:
        begin(get_store(), uid)
    except StoreUnavailable:
        return False
    return True


async def test_subscription_while_redis_is_frozen_is_answered_and_completed_later(
    start_server: Serve, own_redis: EmbeddedRedis
) -> None:
    server = start_server(own_redis.url)
    begin(get_store())
    async with server.open() as page:
        own_redis.pause()
        await page.send(json.dumps({"type": "subscribe", "token": make_token("t")}))
        assert await receive(page) == SUBSCRIBED
        await page.send(json.dumps({"type": "ping"}))
        assert await receive(page) == {"type": "pong", "v": 1}
        own_redis.resume()
        assert (await receive_until(page, "STARTED"))[0] == SUBSCRIBED


async def test_foreign_origin_and_anonymous_page_are_refused_with_403(serve: Serve) -> None:
    server = serve()
    for origin in ("http://evil.example", "null", "http://["):
        with pytest.raises(InvalidStatus) as caught:
            await server.open(origin=origin)
        assert caught.value.response.status_code == 403
    with pytest.raises(InvalidStatus) as caught:
        await server.open(subprotocols=["channels-progress"])
    assert caught.value.response.status_code == 403
    assert "Traceback" not in server.log


async def test_token_is_neither_answered_nor_logged(serve: Serve) -> None:
    server = serve()
    begin(get_store())
    async with server.open() as page:
        assert await subscribe(page, "t") != []
        assert page.response.headers.get_all("Sec-WebSocket-Protocol") == ["channels-progress"]
        token = page.request.headers["Sec-WebSocket-Protocol"].split(", ")[1]
    assert "[accepted]" in wait_until(lambda: server.log)
    assert token not in server.log


async def test_foreign_frame_closes_the_socket_with_a_code(serve: Serve) -> None:
    server = serve()
    for frame, code in ((b"\xff", 4400), ("[" * 4000, 4400), ('{"type":"task"}', 4404), ("{}" * 9000, 4413)):
        async with server.open() as page:
            await page.send(frame)
            assert await receive_all(page) == ([], code)
    assert "Traceback" not in server.log


async def test_slow_page_is_closed_with_its_code_while_its_neighbour_gets_everything(serve: Serve) -> None:
    server = serve(SLOW_SOCKET_S=1.5)
    stamp, texts = begin(get_store()), [f"{number:03}" + "x" * 200_000 for number in range(60)]
    narrow = socket.create_connection(("127.0.0.1", server.port))
    async with server.open() as quick, server.open(sock=narrow, max_queue=1, close_timeout=1) as slow:
        await subscribe(quick, "t")
        await subscribe(slow, "t")
        for text in texts:
            get_store().write(stamp, body="{}", messages=[Message("info", text)])
            assert (await receive(quick))["messages"][0]["text"] == text
        await await_until(lambda: "A socket is closed: too slow (4408)" in server.log)
        frames, code = await receive_all(slow)
        seen = [frame["messages"][0]["text"] for frame in frames]
        assert code == 4408
        assert seen == texts[: len(seen)]
        assert 0 < len(seen) < len(texts)
        get_store().finish("t", "SUCCESS")
        assert (await receive(quick))["state"]["state"] == "SUCCESS"
