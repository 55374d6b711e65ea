"""What a confirmed send costs synchronous code, beside a bare PUBLISH and ``async_to_sync(layer.group_send)``.

``python -m benchmarks.broadcasts [--rounds 1000]``; needs a Redis (``REDIS_URL``).

Over both layers of channels_redis, each with one listener; nobody is at the other end of a socket. The ways take turns.
``deliver()`` is what ``send_to_user()`` and the others call; the synchronous way is the one under gevent.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.test.utils import override_settings

from channels_progress.transport import get_sender, make_envelope
from channels_progress.transport.synchronous import make_synchronous, run_to_end

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/13")
WARM_UP = 20
GROUP, PREFIX, QUEUE = "bench", "bench-broadcasts", "specific.bench!"
BACKENDS = {"pub/sub": "channels_redis.pubsub.RedisPubSubChannelLayer", "core": "channels_redis.core.RedisChannelLayer"}
ENVELOPE = make_envelope("user:1", "x" * 300, replaceable=False)


def make_ways(control: redis.Redis) -> dict[str, Callable[[], Any]]:
    """What to measure, over the layer in force."""
    layer: Any = get_channel_layer()
    text = layer.serialize(ENVELOPE)
    synchronous = make_synchronous(layer, 1.0)
    return {
        "PUBLISH": lambda: control.publish(f"{PREFIX}__group__{GROUP}", text),
        "deliver()": lambda: get_sender().deliver(GROUP, ENVELOPE),
        "deliver() under gevent": lambda: run_to_end(synchronous.group_send(GROUP, ENVELOPE)),
        "async_to_sync(group_send)()": lambda: async_to_sync(layer.group_send)(GROUP, ENVELOPE),
    }


def compare(control: redis.Redis, rounds: int) -> dict[str, tuple[list[float], int]]:
    """Of each way the microseconds of each call, and how many connections it has opened after warming up."""
    ways = make_ways(control)
    times: dict[str, list[float]] = {name: [] for name in ways}
    opened = dict.fromkeys(ways, 0)
    for number in range(WARM_UP + rounds):
        for name, call in ways.items():
            # Read what waits, as a listener would: the core layer must not be full.
            control.delete(PREFIX + QUEUE)
            before = count_connections(control)
            began = time.perf_counter()
            call()
            took_us = (time.perf_counter() - began) * 1e6
            if number >= WARM_UP:
                times[name].append(took_us)
                opened[name] += count_connections(control) - before
    return {name: (times[name], opened[name]) for name in ways}


def count_connections(control: redis.Redis) -> int:
    """How many this server has ever accepted."""
    stats: Any = control.info("stats")
    return int(stats["total_connections_received"])


def report(kind: str, rounds: int, measured: dict[str, tuple[list[float], int]]) -> None:
    base = statistics.median(measured["PUBLISH"][0])
    print(f"\n| {kind + ' layer':<28} | median us | p95 us | ratio | connections for {rounds} |")
    print(f"| {'-' * 28} | --------: | -----: | ----: | ----: |")
    for name, (times, opened) in measured.items():
        median, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        print(f"| {name:<28} | {median:9.0f} | {p95:6.0f} | {median / base:5.2f} | {opened} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    options = parser.parse_args()
    settings.configure()
    with redis.Redis.from_url(REDIS_URL) as control:
        for kind, backend in BACKENDS.items():
            config = {"hosts": [{"address": REDIS_URL, "socket_timeout": None}], "prefix": PREFIX}
            layers = {"default": {"BACKEND": backend, "CONFIG": config}}
            # A listener of the core layer; of the other one Redis knows none that does not listen.
            control.zadd(f"{PREFIX}:group:{GROUP}", {f"{QUEUE}x": time.time()})
            with override_settings(CHANNEL_LAYERS=layers):
                report(kind, options.rounds, compare(control, options.rounds))
        control.delete(f"{PREFIX}:group:{GROUP}", PREFIX + QUEUE)


if __name__ == "__main__":
    main()
