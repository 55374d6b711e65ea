"""One frame to thousands of sockets of one process: this package under uvicorn, beside a bare ``websockets`` server.

``python -m benchmarks.fanout [--sockets 1000 5000] [--rounds 15]``; needs a Redis (``REDIS_URL``).

Both servers run at once and take turns, so that a busy machine hits both alike. In both, one more client has stopped
reading, with its buffers full. Measured is the time from the write (ours: the call that stores progress in Redis;
bare: the line to the server's standard input) until the last socket has the frame.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil

from benchmarks import fanout_site
from channels_progress.events import encode_json
from channels_progress.records import Message, Stamp
from channels_progress.store import get_store

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/13")
FAT_FRAMES = 64
FAT_BYTES = 200_000


@dataclass
class Side:
    """A server, its clients, and what was measured of them."""

    name: str
    server: subprocess.Popen[str]
    clients: subprocess.Popen[str]
    idle_bytes: float
    times_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def measure(self, write: Any) -> None:
        """One round."""
        ask(self.clients, "go", "armed")
        process = psutil.Process(self.server.pid)
        cpu = sum(process.cpu_times()[:2])
        began = time.monotonic()
        write()
        assert self.clients.stdout is not None
        self.times_ms.append((float(self.clients.stdout.readline()) - began) * 1000)
        self.cpu_ms.append((sum(process.cpu_times()[:2]) - cpu) * 1000)


def ask(process: subprocess.Popen[str], line: str, answer: str) -> None:
    """Send a line and wait for the answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    if (got := process.stdout.readline().strip()) != answer:
        raise RuntimeError(f"{got!r} instead of {answer!r}")


@contextmanager
def running(*command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A program of Python's, killed at the end."""
    process = subprocess.Popen(
        [sys.executable, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    for _ in range(1000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(port)


@contextmanager
def ours(count: int, uid: str, fat_uid: str) -> Iterator[Side]:
    port = free_port()
    command = f"-m uvicorn benchmarks.fanout_site:application --port {port} --ws-per-message-deflate false"
    command += " --ws-ping-interval 3600 --no-access-log --log-level warning --backlog 4096 --lifespan off"
    with running(*command.split(), BENCH_REDIS_URL=REDIS_URL) as server, running("-m", "benchmarks.fanout_client") as c:
        wait_for_port(port)
        hello = {"type": "subscribe", "token": fanout_site.make_token(uid)}
        plan = {
            "port": port,
            "path": "/asgi/notifications/",
            "headers": [f"Cookie: {fanout_site.make_cookie()}", f"Origin: http://127.0.0.1:{port}",
                        f"Sec-WebSocket-Protocol: channels-progress, {hello['token']}"],
            "hello": encode_json(hello),
            "hello_stalled": encode_json({"type": "subscribe", "token": fanout_site.make_token(uid, fat_uid)}),
            "frames": 2,
        }  # fmt: skip
        yield start(f"channels_progress, {count} sockets", server, c, plan, count)


@contextmanager
def bare(count: int) -> Iterator[Side]:
    port = free_port()
    with (
        running("-m", "benchmarks.fanout_site", "bare", str(port)) as server,
        running("-m", "benchmarks.fanout_client") as clients,
    ):
        wait_for_port(port)
        plan = {"port": port, "path": "/", "headers": [], "hello": "", "hello_stalled": "", "frames": 0}
        yield start(f"bare websockets, {count} sockets", server, clients, plan, count)


def start(
    name: str, server: subprocess.Popen[str], clients: subprocess.Popen[str], plan: dict[str, Any], count: int
) -> Side:
    """Connect the clients, and see what memory the server needs for them."""
    memory = psutil.Process(server.pid).memory_info
    # One connection first: what is loaded once is not a socket's cost.
    with running("-m", "benchmarks.fanout_client") as first:
        ask(first, json.dumps({**plan, "count": 1, "stalled": 0}), "ready")
        before = memory().rss
        ask(clients, json.dumps({**plan, "count": count, "stalled": 1}), "ready")
        time.sleep(1)
        return Side(name, server, clients, (memory().rss - before) / count)


def compare(count: int, rounds: int) -> None:
    store = get_store()
    uid, fat_uid = secrets.token_hex(16), secrets.token_hex(16)
    body = encode_json({"title": "Import", "message": "Importing", "unit": "row", "current": 1234, "total": 33000,
                        "fraction": 0.0374, "rate": 812.5, "eta_s": 39.1,
                        "stage": {"name": "Save", "index": 3, "count": 3, "declared": True}})  # fmt: skip
    stamps = [
        Stamp(one, begun.epoch, begun.attempt)
        for one in (uid, fat_uid)
        if (begun := store.begin(one, delivery="bench", owner="", body=body))
    ]
    line = store.read(uid)
    assert line is not None
    text = body + "x" * 280
    with ExitStack() as stack:
        sides = stack.enter_context(ours(count, uid, fat_uid)), stack.enter_context(bare(count))
        for _ in range(FAT_FRAMES):
            store.write(stamps[1], body=body, messages=[Message("info", "x" * FAT_BYTES)])
            say(sides[1].server, "!" + "x" * FAT_BYTES)
        time.sleep(1)
        for _ in range(rounds):
            sides[0].measure(lambda: store.write(stamps[0], body=body))
            sides[1].measure(lambda: say(sides[1].server, text))
    report(sides, count)


def say(server: subprocess.Popen[str], text: str) -> None:
    assert server.stdin is not None
    server.stdin.write(text + "\n")
    server.stdin.flush()


def report(sides: tuple[Side, Side], count: int) -> None:
    print(
        f"\n| {'one frame to all, one client stalled':<42} | median ms | best ms | CPU us each | KiB per idle socket |"
    )
    print(f"| {'-' * 42} | --------: | ------: | ----------: | ------------------: |")
    for side in sides:
        median, cpu = statistics.median(side.times_ms), statistics.mean(side.cpu_ms) * 1000 / count
        idle = side.idle_bytes / 1024
        print(f"| {side.name:<42} | {median:9.1f} | {min(side.times_ms):7.1f} | {cpu:11.1f} | {idle:19.1f} |")
    ours_, bare_ = sides
    ratios = (statistics.median(ours_.times_ms) / statistics.median(bare_.times_ms),
              min(ours_.times_ms) / min(bare_.times_ms),
              statistics.mean(ours_.cpu_ms) / statistics.mean(bare_.cpu_ms),
              ours_.idle_bytes / bare_.idle_bytes)  # fmt: skip
    print("| {:<42} | {:9.2f} | {:7.2f} | {:11.2f} | {:19.2f} |".format("ratio", *ratios))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    fanout_site.configure(REDIS_URL)
    for count in options.sockets:
        compare(count, options.rounds)


if __name__ == "__main__":
    main()
