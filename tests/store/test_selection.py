"""Which store the settings mean, and when a process makes a new one."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from channels_progress.store import get_store, reset_store
from channels_progress.store.database import DatabaseStore
from channels_progress.store.memory import MemoryStore
from channels_progress.store.redis import RedisStore
from channels_progress.store.selection import make_store
from tests.waiting import WITHIN_S

PUBSUB = "channels_redis.pubsub.RedisPubSubChannelLayer"
CORE = "channels_redis.core.RedisChannelLayer"
ADDRESS = {"host", "port", "path", "db", "username", "password"}


def make_client() -> redis.Redis:
    return redis.Redis(host="factory.example", socket_timeout=60)


class FactoryStore(MemoryStore):
    pass


def where(store: Any) -> dict[str, Any]:
    """Where a Redis store would connect to."""
    assert isinstance(store, RedisStore)
    pool = store._connections.pool
    return {key: value for key, value in pool.connection_kwargs.items() if key in ADDRESS and value is not None}


@pytest.mark.parametrize(
    ("wanted", "address"),
    [
        ("redis://h.example:7/3", {"host": "h.example", "port": 7, "db": 3}),
        ("redis://u:p%40@h.example", {"host": "h.example", "username": "u", "password": "p@"}),
        ("rediss://h.example", {"host": "h.example"}),
        ("unix:///run/r.sock?db=2", {"path": "/run/r.sock", "db": 2}),
        (make_client, {"host": "factory.example", "port": 6379, "db": 0}),
        (f"{__name__}.make_client", {"host": "factory.example", "port": 6379, "db": 0}),
    ],
)
def test_store_setting_names_a_redis(configure: Any, wanted: Any, address: dict[str, Any]) -> None:
    configure(STORE=wanted)
    store = make_store()
    assert where(store) == address
    assert issubclass(store._connections.pool.connection_class, redis.SSLConnection) == (
        str(wanted).startswith("rediss")
    )


@pytest.mark.parametrize("wanted", ["redis://h.example", make_client])
def test_calls_are_short_and_never_retried(configure: Any, wanted: Any) -> None:
    configure(STORE=wanted, STORE_TIMEOUT_S=0.25)
    connection = make_store()._connections.pool.make_connection()
    assert (connection.socket_timeout, connection.socket_connect_timeout) == (0.25, 0.25)
    assert (connection.retry.get_retries(), connection.health_check_interval) == (0, 0)


@pytest.mark.parametrize("wanted", ["memory", FactoryStore, f"{__name__}.FactoryStore"])
def test_store_setting_names_a_store(configure: Any, wanted: Any) -> None:
    configure(STORE=wanted)
    assert type(make_store()) is (MemoryStore if wanted == "memory" else FactoryStore)


@pytest.mark.parametrize("wanted", ["", "redis", "http://h.example/", "no.such.module", "os.path.sep", 7, dict])
def test_other_settings_are_refused(configure: Any, wanted: Any) -> None:
    configure(STORE=wanted)
    with pytest.raises(ImproperlyConfigured, match="STORE"):
        make_store()


def test_part_of_a_password_that_looks_like_a_port_is_not_told(configure: Any) -> None:
    configure(STORE="redis://:s3cret/word@h.example")
    with pytest.raises(ImproperlyConfigured, match="special characters in the password") as caught:
        make_store()
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("backend", [PUBSUB, CORE])
@pytest.mark.parametrize(
    ("hosts", "address"),
    [
        (["redis://h.example:7/3"], {"host": "h.example", "port": 7, "db": 3}),
        ([("h.example", 7)], {"host": "h.example", "port": 7}),
        ([["h.example", 7]], {"host": "h.example", "port": 7}),
        ([{"address": "redis://h.example:7", "password": "p"}], {"host": "h.example", "port": 7, "password": "p"}),
        ([{"address": ("h.example", 7), "socket_timeout": None}], {"host": "h.example", "port": 7}),
        ([{"host": "h.example", "port": 7, "db": 2}], {"host": "h.example", "port": 7, "db": 2}),
        ([], {"host": "localhost", "port": 6379}),
    ],
)
def test_unset_store_is_the_redis_of_the_channel_layer(
    settings: Any, configure: Any, backend: str, hosts: list[Any], address: dict[str, Any]
) -> None:
    configure()
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend, "CONFIG": {"hosts": hosts}}}
    assert where(make_store()) == address


@pytest.mark.parametrize(
    "layers",
    [
        {},
        {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
        {"default": {"BACKEND": PUBSUB, "CONFIG": {"hosts": ["redis://a", "redis://b"]}}},
        {"default": {"BACKEND": PUBSUB, "CONFIG": {"hosts": "redis://a"}}},
        {"default": {"BACKEND": CORE, "CONFIG": {"hosts": [{"sentinels": [("a", 1)], "master_name": "m"}]}}},
        {"default": {"BACKEND": CORE, "CONFIG": {"hosts": [{"host": "a", "port": 1, "connection_class": object}]}}},
    ],
)
def test_unset_store_is_the_database_where_no_layer_names_a_redis(
    settings: Any, configure: Any, layers: dict[str, Any]
) -> None:
    configure()
    settings.CHANNEL_LAYERS = layers
    assert alias_of(make_store()) == "default"


def alias_of(store: Any) -> str:
    assert type(store) is DatabaseStore
    return store.alias


def test_store_setting_names_a_database(configure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings, "progress", {"ENGINE": "django.db.backends.sqlite3"})
    found = []
    for wanted in ("database", "database:", "database:progress"):
        configure(STORE=wanted)
        found.append(alias_of(make_store()))
    assert found == ["default", "default", "progress"]


def test_database_that_is_not_configured_is_refused(configure: Any) -> None:
    configure(STORE="database:other")
    with pytest.raises(ImproperlyConfigured, match='database "other", which DATABASES does not have'):
        make_store()


def test_database_of_another_kind_is_refused(configure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper = SimpleNamespace(DatabaseWrapper=SimpleNamespace(vendor="oracle"))
    monkeypatch.setitem(sys.modules, "some_engine.base", wrapper)
    monkeypatch.setitem(sys.modules, "some_engine", SimpleNamespace(base=wrapper))
    monkeypatch.setitem(connections.settings, "progress", {"ENGINE": "some_engine"})
    configure(STORE="database:progress")
    with pytest.raises(ImproperlyConfigured, match="It is oracle, and postgresql, mysql, sqlite can be stores"):
        make_store()


def test_process_has_one_store_until_the_settings_change(settings: Any, configure: Any) -> None:
    configure(STORE="memory")
    first = get_store()
    assert get_store() is first
    configure(STORE="memory")
    second = get_store()
    settings.CHANNEL_LAYERS = {}
    third = get_store()
    reset_store()
    assert len({id(store) for store in (first, second, third, get_store())}) == 4


FORK = """
import gc, os, secrets, socket, sys
from django.conf import settings
settings.configure(CHANNELS_PROGRESS={"STORE": sys.argv[1], "NAMESPACE": secrets.token_hex(8), "RECORD_TTL_S": 60,
                                       "STORE_TIMEOUT_S": 15})
from channels_progress.records import Stamp
from channels_progress.store import get_store

def use(uid):
    begun = get_store().begin(uid, delivery="d", owner="", body="{}")
    for number in range(200):
        assert get_store().write(Stamp(uid, begun.epoch, begun.attempt), body="{}").seq == number + 2

use("before")
[connection] = get_store()._connections._idle
number, name = connection._sock.fileno(), connection._sock.getsockname()
inherited = id(get_store())
del connection
children = []
for child in range(3):
    if not (pid := os.fork()):
        assert id(get_store()) != inherited
        use(f"child{child}")
        gc.collect()
        with socket.socket(fileno=os.dup(number)) as copy:
            assert copy.getsockname() == name, "the parent's connection was closed"
        os._exit(0)
    children.append(pid)
use("parent")
assert id(get_store()) == inherited
assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
"""


def test_forked_children_make_stores_of_their_own(redis_url: str) -> None:
    command = [sys.executable, "-W", "error", "-c", FORK, redis_url]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=WITHIN_S)
    assert (done.returncode, done.stderr) == (0, "")
