"""Broadcasts from one process to the sockets of another one: real servers, a real Redis, a real database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from channels_progress.tokens import issue_subscription_token
from example_project.embedded_redis import EmbeddedRedis
from tests.channel_layers import CORE, PUBSUB, make_layers
from tests.consumers.live import FRAME_WITHIN_S
from tests.consumers.sockets import PATH, VISITOR, make_session_cookie
from tests.live.rig import Rig, Site
from tests.store.databases import make_database

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("hearing")]

STORED = 1_000
BURST = 500
LAYERS, IDS = [PUBSUB, CORE], ["pubsub", "core"]
Serve = Callable[..., Any]


@pytest.fixture
def serve(tmp_path: Path, django_db_blocker: Any) -> Serve:
    """``with serve(redis_url) as (rig, site)``: a server with a database of its own, in which messages are stored."""

    @contextmanager
    def serve(url: str, *, kind: str = "uvicorn", layer: str = PUBSUB, **options: Any) -> Iterator[tuple[Rig, Site]]:
        with django_db_blocker.unblock(), make_database("sqlite", tmp_path) as described:
            rig = Rig(
                folder=tmp_path,
                broker_url="memory://",
                databases={"default": described},
                django={"CHANNEL_LAYERS": make_layers(layer, url)},
                progress={"STORE": url, "ENABLE_ANONYMOUS": True, "RESYNC_S": 1.0},
            )
            with rig.joined(), rig.run_site(kind, **options) as site:
                yield rig, site

    return serve


def send(rig: Rig, code: str) -> None:
    """Run these lines in a process of their own, as in a shell."""
    rig.manage("shell", "--verbosity=0", "-c", f"from channels_progress import *\n{code}")


def open_socket(site: Site, path: str = PATH, **options: Any) -> ClientConnection:
    """A visitor's socket, as a browser opens it."""
    headers = {"Cookie": make_session_cookie()}
    address = f"ws://127.0.0.1:{site.port}{path}"
    return connect(address, origin=site.url, additional_headers=headers, compression=None, proxy=None, **options)


def receive(socket: ClientConnection) -> Any:
    """The next frame."""
    return json.loads(socket.recv(timeout=FRAME_WITHIN_S))


@contextmanager
def listening(site: Site, channel: str) -> Iterator[ClientConnection]:
    """A visitor's socket that is subscribed to a channel."""
    with open_socket(site, subprotocols=["channels-progress"]) as socket:
        token = issue_subscription_token(VISITOR, [channel])
        socket.send(json.dumps({"type": "subscribe", "token": token}))
        assert receive(socket) == {"type": "subscribed", "v": 1, "channel": channel}
        yield socket


def read(socket: ClientConnection, count: int) -> list[str]:
    """So many messages, acknowledged; their texts."""
    frames = [receive(socket) for _ in range(count)]
    for frame in frames:
        if "id" in frame:
            socket.send(json.dumps({"type": "ack_message", "id": frame["id"]}))
    return [frame["text"] for frame in frames]


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
def test_a_thousand_stored_messages_arrive_once_each_and_in_order(serve: Serve, redis_url: str, kind: str) -> None:
    with serve(redis_url, kind=kind) as (rig, site):
        store = f"for n in range({STORED}): send_to_channel('away', str(n), persist=True)"
        send(rig, f"from django.db import transaction\nwith transaction.atomic():\n {store}")
        with listening(site, "away") as page:
            assert read(page, STORED) == [str(number) for number in range(STORED)]
            send(rig, "send_to_channel('away', 'the next one')")
            # Nothing a second time before it.
            assert read(page, 1) == ["the next one"]


@pytest.mark.parametrize("layer", LAYERS, ids=IDS)
def test_a_burst_arrives_whole_and_in_order(serve: Serve, redis_url: str, layer: str) -> None:
    with serve(redis_url, layer=layer) as (rig, site), listening(site, "burst") as page:
        send(rig, f"assert all([send_to_channel('burst', str(n)) for n in range({BURST})])")
        assert read(page, BURST) == [str(number) for number in range(BURST)]


@pytest.mark.parametrize("layer", LAYERS, ids=IDS)
def test_what_was_stored_while_the_layer_was_away_comes_over_the_same_socket(
    serve: Serve, own_redis: EmbeddedRedis, layer: str
) -> None:
    with serve(own_redis.url, layer=layer) as (rig, site), listening(site, "gap") as page:
        send(rig, "assert send_to_channel('gap', 'before', persist=True)")
        assert read(page, 1) == ["before"]
        own_redis.stop()
        send(rig, "assert send_to_channel('gap', 'meanwhile', persist=True) is False")
        own_redis.start()
        assert read(page, 1) == ["meanwhile"]
        send(rig, "assert send_to_channel('gap', 'after', persist=True)")
        assert read(page, 1) == ["after"]


@pytest.mark.parametrize(("kind", "application"), [("uvicorn", "ours_in_front"), ("daphne", "all_in_one_router")])
def test_a_projects_own_consumers_live_beside_ours(serve: Serve, redis_url: str, kind: str, application: str) -> None:
    with ExitStack() as stack:
        rig, site = stack.enter_context(
            serve(redis_url, kind=kind, application=f"tests.consumers.chat_site:{application}")
        )
        send(rig, "send_to_channel('news', 'old news', persist=True)")
        ours = stack.enter_context(listening(site, "news"))
        chat, dashboard = [stack.enter_context(open_socket(site, f"/ws/{name}/")) for name in ("chat", "dashboard")]
        # The same person, who has not said that they have it.
        assert receive(dashboard)["text"] == receive(ours)["text"] == "old news"
        joined = ["audience:all", "audience:anonymous", "news"]
        assert receive(dashboard) == {"joined": joined, "missed": 1}
        send(rig, "send_to_channel('news', 'fresh news')")
        assert read(ours, 1) == read(dashboard, 1) == ["fresh news"]
        chat.send(json.dumps({"text": "Hello"}))
        # The first that it hears: broadcasts are none of its business.
        assert receive(chat) == {"said": "Hello"}
        assert "Traceback" not in site.log
