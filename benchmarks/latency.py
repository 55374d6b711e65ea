"""From the call to the text at a socket, on loopback: this package beside a bare ``group_send`` on the pub/sub layer.

``python -m benchmarks.latency [--rounds 1000]``; needs a Redis (``REDIS_URL``).

One uvicorn process serves both sockets: ours, and one of a consumer that only forwards the text it is sent. The ways
take turns. ``store.write()`` is the round trip that a flush makes; ``reporter.message()`` is the whole way from a task,
through the flusher's thread. A bare ``group_send`` is made from a running event loop, at its quickest, and from
synchronous code, as in a task.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import socket
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from benchmarks import fanout_client, fanout_site
from benchmarks.fanout import free_port, running, wait_for_port
from channels_progress.events import encode_json
from channels_progress.records import Stamp
from channels_progress.store import get_store
from channels_progress.tasks.flusher import get_flusher
from channels_progress.tasks.reporter import TaskReporter

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/13")
WARM_UP = 20


def open_socket(port: int, path: str, *, hello: str = "") -> socket.socket:
    """A socket that is ready: with ``hello`` it has had its two answers."""
    headers = [f"Cookie: {fanout_site.make_cookie()}", f"Origin: http://127.0.0.1:{port}"]
    if hello:
        headers.append(f"Sec-WebSocket-Protocol: channels-progress, {hello}")
    connection = fanout_client.connect({"port": port, "path": path, "headers": headers}, stalled=False)
    if hello:
        fanout_client.send_text(connection, encode_json({"type": "subscribe", "token": hello}))
        read_frames(connection, 2)
    return connection


def read_frames(connection: socket.socket, count: int) -> None:
    """Wait for so many whole frames and nothing more."""
    data = b""
    while count:
        data += connection.recv(65536)
        while data and len(data) >= (size := fanout_client.frame_size(data)):
            data, count = data[size:], count - 1
    assert not data


def measure(connection: socket.socket, call: Callable[[], Any]) -> float:
    """Microseconds from before the call until the text is there."""
    began = time.perf_counter()
    call()
    read_frames(connection, 1)
    return (time.perf_counter() - began) * 1e6


async def ameasure(connection: socket.socket, call: Callable[[], Awaitable[Any]]) -> float:
    """The same for an asynchronous call; the wait for the text may block, nothing else runs."""
    began = time.perf_counter()
    await call()
    read_frames(connection, 1)
    return (time.perf_counter() - began) * 1e6


async def compare(port: int, rounds: int) -> dict[str, list[float]]:
    store, uid, reported = get_store(), secrets.token_hex(16), secrets.token_hex(16)
    body = encode_json({"title": "Import", "message": "Importing", "unit": "row", "current": 1234, "total": 33000})
    begun = store.begin(uid, delivery="bench", owner="", body=body)
    stamp = Stamp(uid, begun.epoch, begun.attempt)
    ours = open_socket(port, "/asgi/notifications/", hello=fanout_site.make_token(uid))
    reporter = TaskReporter(reported, delivery="bench")
    get_flusher().start(reporter)
    ours_too = open_socket(port, "/asgi/notifications/", hello=fanout_site.make_token(reported))
    theirs = open_socket(port, "/forward/")
    snapshot_text = encode_json({"type": "task", "pad": "x" * (len(body) + 330)})
    layer = get_channel_layer()
    assert layer is not None
    message = {"type": "forward", "text": snapshot_text}

    def group_send() -> None:
        async_to_sync(layer.group_send)(fanout_site.GROUP, message)

    # The forwarding consumer joins its group only after it has accepted.
    await asyncio.sleep(0.5)
    times: dict[str, list[float]] = {
        "store.write()": [],
        "reporter.message()": [],
        "await group_send()": [],
        "async_to_sync(group_send)()": [],
    }
    for _ in range(rounds + WARM_UP):
        times["store.write()"].append(measure(ours, lambda: store.write(stamp, body=body)))
        times["reporter.message()"].append(measure(ours_too, lambda: reporter.message("Row 7 has no name")))
        sent = await ameasure(theirs, lambda: layer.group_send(fanout_site.GROUP, message))
        times["await group_send()"].append(sent)
        times["async_to_sync(group_send)()"].append(await asyncio.to_thread(measure, theirs, group_send))
    return {name: values[WARM_UP:] for name, values in times.items()}


def report(times: dict[str, list[float]]) -> None:
    base = statistics.median(times["await group_send()"])
    print(f"\n| {'call to text at a socket':<28} | median us | p95 us | ratio |")
    print(f"| {'-' * 28} | --------: | -----: | ----: |")
    for name, values in times.items():
        median, p95 = statistics.median(values), statistics.quantiles(values, n=20)[-1]
        print(f"| {name:<28} | {median:9.0f} | {p95:6.0f} | {median / base:5.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    options = parser.parse_args()
    fanout_site.configure(REDIS_URL)
    port = free_port()
    command = f"-m uvicorn benchmarks.fanout_site:application --port {port} --ws-per-message-deflate false"
    command += " --no-access-log --log-level warning --lifespan off"
    with running(*command.split(), BENCH_REDIS_URL=REDIS_URL):
        wait_for_port(port)
        report(asyncio.run(compare(port, options.rounds)))


if __name__ == "__main__":
    main()
