"""Services that tests share. Each pytest-xdist worker process has its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from hypothesis import settings

from channels_progress import send
from example_project.embedded_redis import EmbeddedRedis, RedisServerNotFound, run_embedded_redis
from tests.reference import find_reference_scripts
from tests.sent import Sent
from tests.services import lack
from tests.store.databases import known_as, make_database
from tests.tooling import find_npm_packages

# The same examples each time: no run fails by chance. HYPOTHESIS_PROFILE=default looks for new ones.
# Nor by a busy machine.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(scope="session", autouse=True)
def json_support() -> None:
    """Known: since Django 6 a ``JSONField``'s check asks the database, and a worker that starts runs all checks."""
    connection.features.supports_json_field = True


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
def made_databases(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any
) -> Iterator[Callable[[str], dict[str, Any]]]:
    """A database of this kind, made when it is first asked for; the entry of ``DATABASES``."""
    with django_db_blocker.unblock(), ExitStack() as cleanup:
        made: dict[str, dict[str, Any]] = {}

        def make(kind: str) -> dict[str, Any]:
            if kind not in made:
                made[kind] = cleanup.enter_context(make_database(kind, tmp_path_factory.mktemp(kind)))
            return made[kind]

        # Blocked again for all other tests, until this one is at its end.
        with django_db_blocker.block():
            yield make


@pytest.fixture
def own_databases(made_databases: Any, django_db_blocker: Any) -> Iterator[Callable[[str], None]]:
    """Lets this test use the database of this kind, under this alias. Others use it, too: in their own namespaces."""
    with ExitStack() as cleanup:
        cleanup.enter_context(django_db_blocker.unblock())
        yield lambda kind: cleanup.enter_context(known_as(kind, made_databases(kind)))


@pytest.fixture(scope="session")
def npm_packages() -> Path:
    """``node_modules`` with what ``tests/npm/package.json`` names, for browsers and ``tsc``."""
    try:
        return find_npm_packages()
    except LookupError as error:
        lack(str(error))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What is broadcast goes nowhere but here."""
    sent = Sent()
    monkeypatch.setattr(send, "get_sender", lambda: sent)
    return sent


@pytest.fixture(scope="session")
def reference_scripts() -> Callable[[str], Path]:
    """The folder with the scripts of a release of django-channels-broadcast: ``reference_scripts("0.3.1")``."""

    def find(version: str) -> Path:
        try:
            return find_reference_scripts(version)
        except LookupError as error:
            lack(str(error))

    return find
