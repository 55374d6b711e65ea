"""The two servers that the socket benchmarks compare: a site of ours under uvicorn, and bare ``websockets``.

Run as a module with ``bare PORT`` it is the latter: for each line on its standard input it sends the text on that
line, made ready once, to every socket (to those of path ``/stalled`` only, after ``!``).
"""

from __future__ import annotations

import asyncio
import os
import sys
from http.cookies import SimpleCookie

import django
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import path

from channels_progress.asgi import with_websockets
from channels_progress.conf import redis_channel_layers
from channels_progress.events import task_channel
from channels_progress.tokens import issue_subscription_token
from channels_progress.viewers import Viewer

NAMESPACE = "channels_progress_bench"
GROUP = "bench"
NONCE = "bench-nonce"


class ForwardConsumer(AsyncWebsocketConsumer):
    """What one would write by hand: joins a group and forwards the text it is sent."""

    groups = (GROUP,)

    async def forward(self, event: dict[str, str]) -> None:
        await self.send(text_data=event["text"])


def configure(redis_url: str) -> None:
    """Django with sessions in signed cookies, so that no database takes part."""
    settings.configure(
        SECRET_KEY="benchmark",
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "channels_progress"],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        CHANNEL_LAYERS=redis_channel_layers(redis_url),
        CHANNELS_PROGRESS={
            "STORE": redis_url,
            "NAMESPACE": NAMESPACE,
            "MAX_SUBSCRIPTIONS": 100,
            # All sockets are one viewer's.
            "MAX_SOCKETS_PER_VIEWER": 1_000_000,
            "SLOW_SOCKET_S": 3600.0,
        },
        ROOT_URLCONF="benchmarks.fanout_site",
    )
    django.setup()


def make_cookie() -> str:
    """The ``Cookie`` header of the viewer that all benchmark sockets belong to."""
    from django.contrib.sessions.backends.signed_cookies import SessionStore

    session = SessionStore()
    session["channels_progress_nonce"] = NONCE
    session.save()
    cookie = SimpleCookie({settings.SESSION_COOKIE_NAME: session.session_key or ""})
    return cookie.output(header="", sep=";").strip()


def make_token(*uids: str) -> str:
    """A token with which that viewer watches these tasks."""
    return issue_subscription_token(Viewer(None, NONCE), [task_channel(uid) for uid in uids])


async def serve_bare(port: int) -> None:
    """A ``websockets`` server and nothing else."""
    from websockets.asyncio.server import ServerConnection, broadcast, serve

    sockets: set[ServerConnection] = set()
    stalled: set[ServerConnection] = set()

    async def hold(socket: ServerConnection) -> None:
        assert socket.request is not None
        group = stalled if socket.request.path == "/stalled" else sockets
        group.add(socket)
        await socket.wait_closed()
        group.discard(socket)

    reader = asyncio.StreamReader(limit=2**26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with serve(hold, "127.0.0.1", port, compression=None, ping_interval=None, backlog=4096):
        while line := (await reader.readline()).decode().rstrip("\n"):
            if line.startswith("!"):
                broadcast(stalled, line[1:])
            else:
                broadcast(sockets | stalled, line)


urlpatterns: list[object] = []

if __name__ == "__main__":
    asyncio.run(serve_bare(int(sys.argv[2])))
elif "BENCH_REDIS_URL" in os.environ and not settings.configured:
    configure(os.environ["BENCH_REDIS_URL"])
    application = with_websockets(get_asgi_application(), path("forward/", ForwardConsumer.as_asgi()))
