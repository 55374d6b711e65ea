"""A write to each store, turn by turn: Redis, SQLite, PostgreSQL, MariaDB.

    python -m benchmarks.databases

Starts a Redis of its own, and makes databases of its own on the servers that tests/store/databases.py names; those that
do not answer are left out. Medians of the turns.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import django
import pytest
from django.conf import settings
from django.test import override_settings

CALLS, TURNS = 10, 15
KINDS = ("sqlite", "postgresql", "mariadb")
BODY = '{"title":"Import cities","message":"Reading","unit":"row","current":%d,"total":33000,"fraction":0.1234}'


def measure(call: Callable[[int], object]) -> float:
    """Microseconds a call."""
    start = time.perf_counter()
    for number in range(CALLS):
        call(number)
    return (time.perf_counter() - start) / CALLS * 1e6


@contextmanager
def make_stores() -> Iterator[dict[str, object]]:
    """A store of each kind that is there, by its name."""
    from channels_progress.store.selection import make_store
    from example_project.embedded_redis import run_embedded_redis
    from tests.store.databases import known_as, make_database

    with ExitStack() as cleanup:
        wanted = {"Redis": cleanup.enter_context(run_embedded_redis()).url}
        for kind in KINDS:
            folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
            with suppress(pytest.skip.Exception):
                cleanup.enter_context(known_as(kind, cleanup.enter_context(make_database(kind, folder))))
                wanted[kind] = f"database:{kind}"
        stores = {}
        for name, url in wanted.items():
            with override_settings(CHANNELS_PROGRESS={"STORE": url, "NAMESPACE": "benchmark"}):
                stores[name] = make_store()
                cleanup.callback(stores[name].close)
        yield stores


def make_rivals(store: object) -> dict[str, Callable[[int], object]]:
    from channels_progress.records import Message, Stamp, TaskState

    begun = store.begin("a", delivery="d", owner="user:1", body="{}")
    stamp, fresh = Stamp("a", begun.epoch, begun.attempt), itertools.count()
    message = [Message("info", "Skipped a row without a name")]

    def live(number: int) -> None:
        uid = f"c{next(fresh)}"
        store.create(uid, owner="user:1", body=BODY % number)
        store.begin(uid, delivery="d", owner="user:1", body=BODY % number)
        store.finish(uid, TaskState.SUCCESS, delivery="d")

    return {
        "write": lambda number: store.write(stamp, body=BODY % number),
        "write with a message": lambda number: store.write(stamp, body=BODY % number, messages=message),
        "heartbeat": lambda number: store.heartbeat([stamp]),
        "versions of 50 tasks": lambda number: store.versions([f"c{index}" for index in range(50)]),
        "read": lambda number: store.read("a"),
        "create, begin, finish": live,
    }


def run() -> None:
    with make_stores() as stores:
        rivals = {name: make_rivals(store) for name, store in stores.items()}
        turns: dict[tuple[str, str], list[float]] = {(name, what): [] for name in rivals for what in rivals[name]}
        for _turn in range(TURNS):
            for name, what in turns:
                turns[name, what].append(measure(rivals[name][what]))
        medians = {key: statistics.median(figures) for key, figures in turns.items()}
    print(f"{TURNS} turns of {CALLS} calls, us a call")
    print(f"{'':24}" + "".join(f"{name:>12}" for name in stores))
    for what in rivals["Redis"]:
        print(f"{what:24}" + "".join(f"{medians[name, what]:12.0f}" for name in stores))


if __name__ == "__main__":
    settings.configure(
        CHANNELS_PROGRESS={"NAMESPACE": "benchmark", "STORE_TIMEOUT_S": 10},
        INSTALLED_APPS=["channels_progress"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    )
    django.setup()
    run()
