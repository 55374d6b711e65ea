"""Every store of the package, and what to drive it with."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis
from pytest_django.fixtures import Settings

from channels_progress.store import Store
from channels_progress.store.selection import make_store
from example_project.embedded_redis import EmbeddedRedis
from tests.conftest import lack
from tests.store.databases import ENGINES
from tests.store.support import TIMEOUT_S, Hints

INSTALLED_REDIS = "redis://127.0.0.1:6379/15"


#: Where databases differ from each other: in what they do with a row. The rest is Python, and tried with SQLite.
TRIED_ON_MARIADB = {"test_writes", "test_messages", "test_silence"}
TRIED_ON_SQLITE_ONLY = {"test_feed", "test_hints"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what would only take time."""
    left_out = {item for item in items if "/tests/store/" in item.path.as_posix() and not is_worth_it(item)}
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=list(left_out))


def is_worth_it(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    kind = callspec.params.get("store_url") if callspec else None
    if kind == "mariadb":
        return item.path.stem in TRIED_ON_MARIADB
    return kind != "postgresql" or item.path.stem not in TRIED_ON_SQLITE_ONLY


@pytest.fixture(params=["memory", "embedded", "installed", "sqlite", "postgresql", "mariadb"])
def store_url(request: pytest.FixtureRequest) -> str:
    """``STORE`` of each store: in memory, on the embedded server, on the Redis that is installed here, in databases."""
    if request.param in ENGINES:
        request.getfixturevalue("own_databases")(request.param)
        return f"database:{request.param}"
    if request.param == "embedded":
        return str(request.getfixturevalue("redis_url"))
    if request.param == "installed":
        try:
            redis.Redis.from_url(INSTALLED_REDIS, retry=None, socket_timeout=1).ping()
        except redis.RedisError as error:
            lack(f"no Redis on port 6379: {type(error).__name__}")
        return INSTALLED_REDIS
    return "memory"


@pytest.fixture
def configure(settings: Settings) -> Any:
    """Sets ``CHANNELS_PROGRESS`` with a namespace of this test's own, and records that soon expire."""
    namespace = f"test.{secrets.token_hex(6)}"

    def set_settings(**changes: Any) -> None:
        settings.CHANNELS_PROGRESS = {"NAMESPACE": namespace, "RECORD_TTL_S": 60, "STORE_TIMEOUT_S": 15, **changes}

    return set_settings


@pytest.fixture
def store(store_url: str, configure: Any) -> Iterator[Store]:
    """Each store in turn."""
    configure(STORE=store_url)
    store = make_store()
    yield store
    store.close()


@pytest.fixture
def redis_store(redis_url: str, configure: Any) -> Iterator[Store]:
    """The Redis store alone."""
    configure(STORE=redis_url)
    store = make_store()
    yield store
    store.close()


@pytest.fixture
def store_of_its_own(own_redis: EmbeddedRedis, configure: Any) -> Iterator[Store]:
    """A store on a server of this test's own, ``own_redis``; it waits ``TIMEOUT_S`` for answers."""
    configure(STORE=own_redis.url, STORE_TIMEOUT_S=TIMEOUT_S)
    store = make_store()
    yield store
    store.close()


@pytest.fixture
def listen() -> Any:
    """``async with listen(store, *channels) as hints``: what these channels hear."""

    @asynccontextmanager
    async def listen_to(store: Store, *channels: str) -> AsyncIterator[Hints]:
        async with Hints(store) as hints:
            for channel in channels:
                await hints.feed.join(channel)
            yield hints

    return listen_to
