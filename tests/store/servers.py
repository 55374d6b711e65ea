"""Redis servers with options that the embedded one of the suite does not have."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from example_project.embedded_redis import find_server_binary
from example_project.leash import Leashed
from tests.waiting import wait_until


@contextmanager
def run_server(folder: Path, *options: str, answers_at: str, needs_tls: bool = False) -> Iterator[redis.Redis]:
    """A server with ``options``, answering at this URL while the block lasts; a client for it."""
    binary = shutil.which("redis-server") if needs_tls else find_server_binary()
    if not binary:
        pytest.skip("no redis-server with TLS is installed")
    log = folder / "log.txt"
    with log.open("ab") as output:
        leashed = Leashed([binary, "--dir", str(folder), "--save", "", *options], log=output)
    client = redis.Redis.from_url(answers_at, retry=None, socket_timeout=2)

    def answers() -> bool:
        assert leashed.process.poll() is None, log.read_text()
        try:
            client.ping()
        except redis.BusyLoadingError:
            return True
        except redis.RedisError:
            return False
        return True

    try:
        wait_until(answers, message="the server does not answer")
        yield client
    finally:
        client.close()
        leashed.stop()
