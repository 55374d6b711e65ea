"""Inboxes over real sockets: real servers, layers and databases, and what changes them in processes of their own."""

from __future__ import annotations

import json
import secrets
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from example_project.embedded_redis import EmbeddedRedis
from tests.browsers import run_chromium, run_context
from tests.channel_layers import CORE, PUBSUB, make_layers
from tests.consumers.live import FRAME_WITHIN_S
from tests.consumers.sockets import PATH
from tests.live.rig import Rig, Site
from tests.store.databases import make_database

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("hearing")]

OURS, REFERENCE = PATH, "/ws/me/notifications"
CROWD = 10_000
LOGIN_ENDED = 4401
START = "from channels_progress.notifications import notify\nfrom django.contrib.auth.models import User\n"
#: What a page of the reference's front end does, and all that it hears until the second frame, or the end.
LISTEN = """([address, token]) => new Promise((resolve, reject) => {
    const socket = new WebSocket(address, [token]), heard = [];
    socket.onerror = () => reject(new Error("the handshake failed"));
    socket.onmessage = ({ data }) => {
        heard.push(JSON.parse(data));
        if (heard.length === 1) socket.send('{"page_size": 1}');
        else resolve([socket.protocol === token, ...heard]);
    };
    socket.onclose = ({ code }) => resolve([...heard, code]);
})"""
Serve = Callable[..., AbstractContextManager[tuple[Rig, Site]]]


@pytest.fixture
def serve(tmp_path: Path, django_db_blocker: Any, redis_url: str) -> Serve:
    """``with serve() as (rig, site)``: a server that knows tokens."""

    @contextmanager
    def serve(
        database: str = "sqlite", layer: str = PUBSUB, kind: str = "uvicorn", url: str = redis_url
    ) -> Iterator[tuple[Rig, Site]]:
        with django_db_blocker.unblock(), make_database(database, tmp_path) as described:
            rig = Rig(
                folder=tmp_path,
                broker_url="memory://",
                databases={"default": described},
                django={
                    "CHANNEL_LAYERS": make_layers(layer, url, prefix=f"t{secrets.token_hex(4)}"),
                    "SIMPLE_JWT": {"CHECK_REVOKE_TOKEN": True},
                },
                progress={"STORE": url, "RECHECK_S": 1.0, "RESYNC_S": 1.0},
            )
            with rig.run_site(kind, application="tests.live.rig.token_asgi:application") as site:
                yield rig, site

    return serve


def run(rig: Rig, code: str) -> str:
    """Run these lines in a process of their own; what they print."""
    return rig.manage("shell", "--verbosity=0", "-c", START + code).strip()


def make_alice(rig: Rig, lifetime_s: float = 3_600) -> str:
    """A user, and a token of hers."""
    return run(
        rig,
        "from datetime import timedelta\n"
        "from rest_framework_simplejwt.tokens import AccessToken\n"
        "token = AccessToken.for_user(User.objects.create_user('alice', password='secret'))\n"
        f"token.set_exp(lifetime=timedelta(seconds={lifetime_s}))\n"
        "print(token)",
    )


def open_socket(site: Site, path: str, *offers: str) -> ClientConnection:
    """As a program opens it: without origin."""
    return connect(f"ws://127.0.0.1:{site.port}{path}", subprotocols=[*offers], compression=None, proxy=None)


def receive(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=FRAME_WITHIN_S))


def read(frame: dict[str, Any]) -> tuple[list[str], int]:
    """The texts, and how many are unread."""
    results = frame["results"]
    return [row["notification"]["message"] for row in results["notifications"]], results["unread_notifications"]


@pytest.mark.parametrize(
    ("database", "kind"), [("sqlite", "daphne"), ("postgresql", "uvicorn"), ("mariadb", "uvicorn")]
)
def test_what_other_processes_change_is_heard_until_the_login_ends(serve: Serve, database: str, kind: str) -> None:
    with serve(database, kind=kind) as (rig, site):
        token = make_alice(rig)
        with open_socket(site, OURS, "channels-progress", token) as ours, open_socket(site, REFERENCE, token) as theirs:
            assert (ours.subprotocol, theirs.subprotocol) == ("channels-progress", token)
            ours.send('{"type": "inbox", "is_read": false}')
            assert read(receive(ours)) == read(receive(theirs)) == ([], 0)
            run(rig, "for n in range(3): notify(User.objects.all(), str(n))")
            while (frame := receive(ours))["results"]["unread_notifications"] < 3:
                pass
            assert read(frame) == (["2", "1", "0"], 3)
            while (frame := receive(theirs))["results"]["unread_notifications"] < 3:
                pass
            run(rig, "from channels_progress.notifications.marks import mark_all_read\n"
                     "mark_all_read(User.objects.get())")  # fmt: skip
            assert read(receive(ours)) == ([], 0)
            assert read(receive(theirs)) == (["2", "1", "0"], 0)
            # A token is no good once the password is another one: simplejwt is told to see to that.
            run(rig, "user = User.objects.get()\nuser.set_password('another')\nuser.save()")
            for socket in (ours, theirs):
                with pytest.raises(ConnectionClosed) as closed:
                    socket.recv(timeout=FRAME_WITHIN_S)
                assert closed.value.rcvd
                assert closed.value.rcvd.code == LOGIN_ENDED
        assert token not in site.log
        assert "Traceback" not in site.log


def test_a_socket_ends_with_its_token(serve: Serve) -> None:
    with serve() as (rig, site):
        token = make_alice(rig, lifetime_s=20)
        ends_at = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))["exp"]
        with open_socket(site, OURS, "channels-progress", token) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=FRAME_WITHIN_S)
            assert closed.value.rcvd
            assert closed.value.rcvd.code == LOGIN_ENDED
            assert time.time() >= ends_at
        with pytest.raises(InvalidStatus, match="403"):
            open_socket(site, OURS, "channels-progress", token)


@pytest.mark.parametrize("layer", [PUBSUB, CORE], ids=["pubsub", "core"])
def test_ten_thousand_people_are_told_at_once(serve: Serve, layer: str) -> None:
    with serve(layer=layer) as (rig, site):
        token = make_alice(rig)
        with open_socket(site, OURS, "channels-progress", token) as socket:
            socket.send('{"type": "subscribe", "audiences": true}')
            assert {receive(socket)["channel"] for _ in range(3)} == {
                "audience:all",
                "audience:authenticated",
                "user:1",
            }
            socket.send('{"type": "inbox"}')
            assert read(receive(socket)) == ([], 0)
            took = run(
                rig,
                "import time\n"
                "from channels_progress import send, transport\n"
                "from channels_progress.audiences import find_audience\n"
                "from channels_progress.broadcast_events import message_event\n"
                "from channels_progress.notifications.hints import tell_changes\n"
                "send.send_many([find_audience('user:1')], message_event('first'))\n"
                f"people = [find_audience(f'user:{{n}}') for n in range({CROWD}, 0, -1)]\n"
                "begun = time.monotonic()\n"
                "assert send.send_many(people, message_event('for everybody'))\n"
                "print(time.monotonic() - begun)",
            )
            assert [receive(socket)["text"] for _ in range(2)] == ["first", "for everybody"]
            # Less than a tenth of a second where nothing else is going on.
            assert float(took) < 10, took


def test_inboxes_of_a_crowd_are_read_again(serve: Serve) -> None:
    with serve() as (rig, site):
        token = make_alice(rig)
        with open_socket(site, OURS, "channels-progress", token) as socket:
            socket.send('{"type": "inbox"}')
            assert read(receive(socket)) == ([], 0)
            run(rig, "User.objects.bulk_create(User(username=f'u{n}') for n in range(1_000))\n"
                     "notify(User.objects.all(), 'for everybody')")  # fmt: skip
            assert read(receive(socket)) == (["for everybody"], 1)


@pytest.mark.parametrize("layer", [PUBSUB, CORE], ids=["pubsub", "core"])
def test_what_changes_while_the_layer_is_away_comes_over_the_same_socket(
    serve: Serve, own_redis: EmbeddedRedis, layer: str
) -> None:
    with serve(layer=layer, url=own_redis.url) as (rig, site):
        token = make_alice(rig)
        with open_socket(site, OURS, "channels-progress", token) as socket:
            socket.send('{"type": "inbox"}')
            assert read(receive(socket)) == ([], 0)
            own_redis.stop()
            run(rig, "notify(User.objects.all(), 'meanwhile')")
            # Before the layer is back: the database is asked.
            assert read(receive(socket)) == (["meanwhile"], 1)
            own_redis.start()
            run(rig, "notify(User.objects.all(), 'afterwards')")
            assert read(receive(socket)) == (["afterwards", "meanwhile"], 2)


@pytest.mark.browser
def test_a_browser_with_a_bare_token_is_let_in_and_told_what_is_wrong_with_it(serve: Serve) -> None:
    # In this order: while Playwright is there, its event loop counts as the running one, and databases refuse.
    with serve() as (rig, site), run_chromium() as browser, run_context(browser, base_url=site.url) as context:
        token = make_alice(rig)
        page = context.new_page()
        page.goto("/tasks/unknown/")
        address = f"ws://127.0.0.1:{site.port}{REFERENCE}"
        is_answered, first, second = page.evaluate(LISTEN, [address, token])
        assert is_answered
        assert (read(first), second["pagination"]["page_size"]) == (([], 0), 1)
        refused = page.evaluate(LISTEN, [address, token[:-4]])
        assert refused == [{"error": "Token is invalid or expired"}, 1000]
