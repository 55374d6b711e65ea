"""Services that tests share. Each pytest-xdist worker process has its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from example_project.embedded_redis import EmbeddedRedis, RedisServerNotFound, run_embedded_redis
from tests.services import lack
from tests.tooling import find_npm_packages

# The same examples each time: no run fails by chance. HYPOTHESIS_PROFILE=default looks for new ones.
settings.register_profile("fixed", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of a Redis: ``REDIS_URL`` where it is set, else a server of this process's own.

    Shared by all tests of the process: use a namespace, and ``own_redis`` to freeze, stop or flush one.
    """
    if url := os.environ.get("REDIS_URL"):
        yield url
        return
    try:
        with run_embedded_redis() as server:
            yield server.url
    except RedisServerNotFound as error:
        lack(str(error))


@pytest.fixture
def own_redis() -> Iterator[EmbeddedRedis]:
    """A Redis for this test alone, which it may ``pause()``, ``resume()``, ``stop()`` and ``start()`` again."""
    try:
        with run_embedded_redis() as server:
            yield server
    except RedisServerNotFound as error:
        lack(str(error))


@pytest.fixture(scope="session")
def npm_packages() -> Path:
    """``node_modules`` with what ``tests/npm/package.json`` names, for browsers and ``tsc``."""
    try:
        return find_npm_packages()
    except LookupError as error:
        lack(str(error))
