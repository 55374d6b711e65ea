"""One flush (state, guard and hint in one call) beside one raw PUBLISH of the same text.

    python benchmarks/store.py [redis://…]

Without a URL it starts an embedded server. Both run turn by turn on one connection each; medians of the turns.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis
from django.conf import settings

CALLS, TURNS = 50, 200
BODY = (
    '{"title":"Import cities","message":"Reading","unit":"row","current":%d,"total":33000,"fraction":0.1234,'
    '"stage":{"name":"Read","index":1,"count":3,"declared":true},"rate":12345.6,"eta_s":1.5,"counters":{"skipped":3}}'
)


def measure(call: Callable[[int], object]) -> float:
    """Microseconds a call."""
    start = time.perf_counter()
    for number in range(CALLS):
        call(number)
    return (time.perf_counter() - start) / CALLS * 1e6


@contextmanager
def find_redis() -> Iterator[str]:
    if len(sys.argv) > 1:
        yield sys.argv[1]
        return
    from example_project.embedded_redis import run_embedded_redis

    with run_embedded_redis() as server:
        yield server.url


def run(url: str) -> None:
    from channels_progress.records import Message, Stamp
    from channels_progress.store import get_store
    from channels_progress.store.names import name_task

    store, raw = get_store(), redis.Redis.from_url(url)
    begun = store.begin("a", delivery="d", owner="user:1", body="{}")
    stamp = Stamp("a", begun.epoch, begun.attempt)
    pubsub = raw.pubsub()
    pubsub.subscribe(channel := name_task("benchmark", "a").hint)
    pubsub.get_message(timeout=1)
    store.write(stamp, body=BODY % 1)
    payload = pubsub.get_message(timeout=1)["data"]
    pubsub.close()
    fresh = itertools.count()
    message = [Message("info", "Skipped a row without a name")]
    rivals: dict[str, Callable[[int], object]] = {
        "raw PUBLISH of the frame": lambda number: raw.publish(channel, payload),
        "write": lambda number: store.write(stamp, body=BODY % number),
        "write with a message": lambda number: store.write(stamp, body=BODY % number, messages=message),
        "create": lambda number: store.create(f"c{next(fresh)}", owner="user:1", body=BODY % number),
        "begin": lambda number: store.begin(f"b{next(fresh)}", delivery="d", owner="user:1", body=BODY % number),
        "heartbeat": lambda number: store.heartbeat([stamp]),
        "read with 100 messages": lambda number: store.read("a"),
        "SET and PUBLISH in a pipeline": lambda number: (
            raw.pipeline(transaction=False).set("k", payload).publish(channel, payload).execute()
        ),
    }
    turns: dict[str, list[float]] = {name: [] for name in rivals}
    for _turn in range(TURNS):
        for name, call in rivals.items():
            turns[name].append(measure(call))
    base = statistics.median(turns["raw PUBLISH of the frame"])
    print(f"{len(payload)} bytes a frame; {TURNS} turns of {CALLS} calls; redis-py {redis.__version__}")
    for name, figures in turns.items():
        median = statistics.median(figures)
        print(f"{name:32} {median:8.1f} us {median / base:6.2f} x PUBLISH")


if __name__ == "__main__":
    with find_redis() as url:
        settings.configure(CHANNELS_PROGRESS={"STORE": url, "NAMESPACE": "benchmark", "RECORD_TTL_S": 60})
        run(url)
