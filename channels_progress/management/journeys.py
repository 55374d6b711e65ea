"""A throwaway task, taken for real through the store, its hints, the channel layer and the socket."""

from __future__ import annotations

import asyncio
import json
import secrets
import statistics
import time
from collections.abc import Callable
from typing import Any

from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from channels.routing import get_default_application
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from channels_progress.conf import SETTING, get_settings
from channels_progress.consumers.protocol import SUBPROTOCOL
from channels_progress.events import encode_json, task_channel
from channels_progress.exceptions import StoreUnavailable
from channels_progress.management.diagnosis import Doubt, NotUsed, Problem
from channels_progress.records import Message, Stamp, TaskState
from channels_progress.store import get_store
from channels_progress.store.selection import find_database
from channels_progress.tokens import issue_subscription_token
from channels_progress.viewers import NONCE_SESSION_KEY, Viewer

#: How long anything may take to arrive.
PATIENCE_S = 3.0
LATENCY_SAMPLES = 20

STORE_LINE = f'{SETTING} = {{"STORE": "redis://localhost:6379/0"}}'
START_LINE = "redis-server  # where none is running at that address; else name yours:"
MIGRATE_LINE = "manage.py migrate channels_progress --database {alias}  # or start the database; or mend DATABASES"
LAYER_LINE = 'CHANNEL_LAYERS = redis_channel_layers("redis://localhost:6379/0")  # from channels_progress.conf'
ASGI_LINE = "application = with_websockets(get_asgi_application())  # in asgi.py; from channels_progress.asgi"


class ThrowawayTask:
    """A task that only the doctor knows. Its record goes with its TTL."""

    def __init__(self) -> None:
        self.uid = f"progress-doctor-{secrets.token_hex(8)}"
        self.channel = task_channel(self.uid)
        self.viewer = Viewer(None, secrets.token_hex(16))

    def begin(self) -> None:
        """Publish it, and let a worker have it."""
        store, body, owner = get_store(), encode_json({"title": "progress_doctor"}), self.viewer.owner_key
        store.create(self.uid, owner=owner, body=body, name="progress_doctor")
        begun = store.begin(self.uid, delivery=self.uid, owner=owner, body=body, name="progress_doctor")
        self.stamp = Stamp(self.uid, begun.epoch, begun.attempt)

    def report(self) -> None:
        """Write some progress and a message."""
        body = encode_json({"title": "progress_doctor", "fraction": 0.5})
        get_store().write(self.stamp, body=body, messages=[Message("info", "Half way")])

    def finish(self) -> None:
        """End it well."""
        get_store().finish(self.uid, TaskState.SUCCESS, delivery=self.uid)


def try_store() -> str:
    """The store keeps what it is told, and how fast."""
    task = ThrowawayTask()
    try:
        task.begin()
        written_ms = [_measure_ms(task.report) for _ in range(LATENCY_SAMPLES)]
        task.finish()
        read_ms = [_measure_ms(lambda: get_store().read(task.uid)) for _ in range(LATENCY_SAMPLES)]
        snapshot = get_store().read(task.uid)
    except ImproperlyConfigured as error:
        raise Problem(str(error), STORE_LINE) from error
    except StoreUnavailable as error:
        raise _explain_silence(error) from error
    if snapshot is None or (snapshot.record.state, len(snapshot.messages)) != (TaskState.SUCCESS, LATENCY_SAMPLES):
        raise Problem("it answers, but does not keep what is written", STORE_LINE)
    seen = f"write {statistics.median(written_ms):.2f} ms, read {statistics.median(read_ms):.2f} ms (median)"
    if get_settings().STORE == "memory":
        raise Doubt(f"{seen}; in this process only: no page sees what a worker reports", STORE_LINE)
    return seen


def try_hints() -> str:
    """A write is announced to whoever listens."""
    took_ms = asyncio.run(_time_a_hint())
    return f"arrived after {took_ms:.2f} ms"


def try_channel_layer() -> str:
    """The channel layer delivers what is sent to a group."""
    layer = get_channel_layer()
    if layer is None:
        raise NotUsed("CHANNEL_LAYERS has no default; task progress does not need it")
    try:
        took_ms = asyncio.run(_time_a_group_message(layer))
    except TimeoutError:
        raise Problem(f"nothing arrived within {PATIENCE_S:g} s", LAYER_LINE) from None
    except Exception as error:
        # Each layer raises errors of its own.
        raise Problem(f"{type(error).__name__}: {error}", LAYER_LINE) from error
    return f"{type(layer).__name__}, arrived after {took_ms:.2f} ms"


def try_socket() -> str:
    """A page's socket, through the project's own ASGI application, shows the end of a task."""
    try:
        application = get_default_application()
    except ImproperlyConfigured as error:
        raise Problem(str(error), 'ASGI_APPLICATION = "mysite.asgi.application"') from error
    took_ms = asyncio.run(_time_a_page(application))
    return f"/{get_settings().SOCKET_PATH} showed the end after {took_ms:.2f} ms"


def _explain_silence(error: StoreUnavailable) -> Problem:
    if alias := find_database():
        return Problem(str(error), MIGRATE_LINE.format(alias=alias))
    waits = f"within {get_settings().STORE_TIMEOUT_S:g} s (STORE_TIMEOUT_S)"
    return Problem(f"no answer {waits}: {error.__cause__ or error}", f"{START_LINE}\n{STORE_LINE}")


def _measure_ms(function: Callable[[], Any]) -> float:
    began = time.perf_counter()
    function()
    return (time.perf_counter() - began) * 1000


async def _time_a_hint() -> float:
    task, arrived = ThrowawayTask(), asyncio.Event()
    await asyncio.to_thread(task.begin)
    feed = get_store().open_feed(lambda channel, replaceable, text: arrived.set(), lambda: None)
    running = asyncio.create_task(feed.run())
    try:
        async with asyncio.timeout(PATIENCE_S):
            await feed.join(task.channel)
            began = time.perf_counter()
            await asyncio.to_thread(task.report)
            await arrived.wait()
            return (time.perf_counter() - began) * 1000
    except TimeoutError:
        raise Problem(f"nothing arrived within {PATIENCE_S:g} s, although the write was taken", STORE_LINE) from None
    finally:
        await asyncio.to_thread(task.finish)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await feed.close()


async def _time_a_group_message(layer: Any) -> float:
    channel, group = await layer.new_channel(), f"progress-doctor.{secrets.token_hex(8)}"
    async with asyncio.timeout(PATIENCE_S):
        await layer.group_add(group, channel)
        began = time.perf_counter()
        await layer.group_send(group, {"type": "progress.doctor"})
        await layer.receive(channel)
        took_ms = (time.perf_counter() - began) * 1000
        await layer.group_discard(group, channel)
    return took_ms


async def _time_a_page(application: Any) -> float:
    task = ThrowawayTask()
    await asyncio.to_thread(task.begin)
    token = issue_subscription_token(task.viewer, [task.channel])
    page: Any = ApplicationCommunicator(application, _make_scope(task.viewer, token))  # type: ignore[no-untyped-call]
    try:
        await _open(page)
        await page.send_input({"type": "websocket.receive", "text": encode_json({"type": "subscribe", "token": token})})
        await _read_until(page, lambda frame: frame["type"] == "task")
        began = time.perf_counter()
        await asyncio.to_thread(task.finish)
        await _read_until(page, lambda frame: frame["type"] == "task" and frame["state"]["state"] == "SUCCESS")
        took_ms = (time.perf_counter() - began) * 1000
        await page.send_input({"type": "websocket.disconnect", "code": 1000})
        await page.wait(PATIENCE_S)
    except TimeoutError:
        raise Problem(f"the socket opened, but showed nothing within {PATIENCE_S:g} s", ASGI_LINE) from None
    finally:
        page.stop(exceptions=False)
    return took_ms


def _make_scope(viewer: Viewer, token: str) -> dict[str, Any]:
    """The handshake of one of the site's own pages. Our consumer takes user and session from where they are set."""
    hosts = [host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*"]
    host = next(iter(hosts), "localhost")
    path = f"/{get_settings().SOCKET_PATH}"
    return {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", host.encode()), (b"origin", f"http://{host}".encode())],
        "subprotocols": [SUBPROTOCOL, token],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "user": viewer.user,
        "session": {NONCE_SESSION_KEY: viewer.nonce},
    }


async def _open(page: Any) -> None:
    try:
        await page.send_input({"type": "websocket.connect"})
        answer = await page.receive_output(PATIENCE_S)
    except Exception as error:
        # A router without our route, and Django without a router, raise a ValueError; others, anything.
        raise Problem(f"the ASGI application has no such route ({type(error).__name__}: {error})", ASGI_LINE) from error
    if answer["type"] != "websocket.accept":
        raise Problem("the ASGI application refuses the socket of the site's own page", ASGI_LINE)
    if answer.get("subprotocol") != SUBPROTOCOL:
        raise Problem(f"somebody else answers at /{get_settings().SOCKET_PATH}", ASGI_LINE)


async def _read_until(page: Any, is_wanted: Callable[[dict[str, Any]], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            event = await page.receive_output(PATIENCE_S)
            if event["type"] != "websocket.send":
                raise Problem(f"the socket was closed ({event.get('code')})", ASGI_LINE)
            frame = json.loads(event["text"])
            if frame["type"] == "refused":
                raise Problem("the socket refuses a token that this process signed", "SECRET_KEY = …  # one for all")
            if is_wanted(frame):
                return
