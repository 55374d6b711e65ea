"""What can happen to a Redis: each breaks it inside a ``with`` block, and mends it at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from example_project.embedded_redis import EmbeddedRedis
from tests.waiting import WITHIN_S

USER, PASSWORD = "site", "pa55word"


def make_url(server: EmbeddedRedis) -> str:
    """Where the site and the worker find it, with a password that can be changed behind their backs."""
    return f"redis://{USER}:{PASSWORD}@127.0.0.1:{server.port}/0"


def start(server: EmbeddedRedis) -> None:
    """Start it, empty, and let them in."""
    server.start()
    _set_password(server, PASSWORD)


@contextmanager
def killed(server: EmbeddedRedis) -> Iterator[None]:
    """Gone, then back without its data."""
    server.stop()
    yield
    start(server)


@contextmanager
def frozen(server: EmbeddedRedis) -> Iterator[None]:
    """It accepts connections and answers nothing."""
    server.pause()
    try:
        yield
    finally:
        server.resume()


@contextmanager
def flushed(server: EmbeddedRedis) -> Iterator[None]:
    """It has forgotten everything, and is there."""
    with _controlling(server) as control:
        control.flushall()
    yield


@contextmanager
def full(server: EmbeddedRedis) -> Iterator[None]:
    """It is read, and takes nothing more (``noeviction``)."""
    with _controlling(server) as control:
        control.config_set("maxmemory-policy", "noeviction")
        control.config_set("maxmemory", "1")
        yield
        control.config_set("maxmemory", "0")


@contextmanager
def locked(server: EmbeddedRedis) -> Iterator[None]:
    """Everybody else has the wrong password."""
    _set_password(server, "another")
    with _controlling(server) as control:
        control.execute_command("CLIENT", "KILL", "USER", USER)
    yield
    _set_password(server, PASSWORD)


def _set_password(server: EmbeddedRedis, password: str) -> None:
    with _controlling(server) as control:
        control.execute_command("ACL", "SETUSER", USER, "reset", "on", f">{password}", "~*", "&*", "+@all")


@contextmanager
def _controlling(server: EmbeddedRedis) -> Iterator[redis.Redis]:
    with redis.Redis(port=server.port, socket_timeout=WITHIN_S) as control:
        yield control
