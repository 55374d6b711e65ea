"""Checks of ``CHANNEL_LAYERS["default"]``: the traps of channels_redis and redis-py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning  # noqa: A004  Django's name for it
from django.utils.module_loading import import_string

from channels_progress.checks.surroundings import is_in_development
from channels_progress.store.selection import find_database

WHAT_TO_WRITE = 'Write CHANNEL_LAYERS = redis_channel_layers("redis://localhost:6379/0"), from channels_progress.conf.'
USE_PUBSUB = f"Or: {WHAT_TO_WRITE} The pub/sub layer is not hit."
MEMORY_LAYER = "channels.layers.InMemoryChannelLayer"
PUBSUB_LAYER = "channels_redis.pubsub.RedisPubSubChannelLayer"
CORE_LAYER = "channels_redis.core.RedisChannelLayer"
#: What channels_redis and redis-py 8 take where nothing is written.
DEFAULT_CAPACITY = 100
DEFAULT_MAX_CONNECTIONS = 100


def check_channel_layer() -> Iterator[CheckMessage]:
    """Whether there is a layer, whether other processes can reach it, and whether it loses what it should carry."""
    layer = (getattr(settings, "CHANNEL_LAYERS", None) or {}).get("default")
    if not layer:
        # What a layer would add to a database store is told by W005, once and where it matters.
        if find_database() is None:
            yield Warning('CHANNEL_LAYERS has no "default".', hint=WHAT_TO_WRITE, id="channels_progress.W010")
        return
    try:
        backend = import_string(layer["BACKEND"])
        # A project's subclass has the traps of its base.
        paths = {f"{base.__module__}.{base.__qualname__}" for base in backend.__mro__}
        if MEMORY_LAYER in paths:
            yield from _check_locality()
        if CORE_LAYER in paths:
            yield from _check_core_layer(layer.get("CONFIG") or {})
        elif PUBSUB_LAYER in paths:
            _make_pools(layer.get("CONFIG") or {})
    except Exception as error:
        # A broken value makes channels raise anything, at the first message. Only the type is shown: redis-py quotes
        # parts of the URL, which may hold a password.
        yield Warning(
            f'CHANNEL_LAYERS["default"] cannot be used: {type(error).__name__}.',
            hint=f'{WHAT_TO_WRITE} It needs pip install "channels-progress[redis]".',
            id="channels_progress.W012",
        )


def _check_locality() -> Iterator[CheckMessage]:
    if not is_in_development():
        yield Warning(
            "The channel layer is process-local: what one process sends reaches no page of another.",
            hint=WHAT_TO_WRITE,
            id="channels_progress.W011",
        )


def _make_pools(config: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], Any]]:
    """Each host with the pool that the layer will make for it; connects to nothing."""
    utils = import_module("channels_redis.utils")
    return [(host, utils.create_pool(host)) for host in utils.decode_hosts(config.get("hosts"))]


def _check_core_layer(config: Mapping[str, Any]) -> Iterator[CheckMessage]:
    pools = _make_pools(config)
    # The layer blocks in BZPOPMIN for that long; a connection that gives up earlier ends an idle socket.
    blocks_s = import_string(CORE_LAYER).brpop_timeout
    timeouts = [pool.make_connection().socket_timeout for _, pool in pools]
    if short := [timeout for timeout in timeouts if timeout is not None and timeout <= blocks_s]:
        yield Warning(
            f"The core channel layer waits {blocks_s} s for a message, and its connections time out after "
            f"{min(short):g} s: every idle WebSocket of your consumers will die.",
            hint=f'Write {{"address": …, "socket_timeout": None}} in "hosts". {USE_PUBSUB}',
            id="channels_progress.W013",
        )
    if any("max_connections" not in host and pool.max_connections <= DEFAULT_MAX_CONNECTIONS
           for host, pool in pools):  # fmt: skip
        yield Warning(
            f"The core channel layer may open {DEFAULT_MAX_CONNECTIONS} connections per process; the next one raises.",
            hint=f'Write {{"address": …, "max_connections": 10_000}} in "hosts". {USE_PUBSUB}',
            id="channels_progress.W014",
        )
    if config.get("capacity", DEFAULT_CAPACITY) <= DEFAULT_CAPACITY:
        yield Warning(
            f"The core channel layer keeps {DEFAULT_CAPACITY} messages for a whole server process and then silently "
            "drops the newest ones, of whatever socket.",
            hint=f'Write "capacity": 10_000 in its CONFIG. {USE_PUBSUB}',
            id="channels_progress.W015",
        )
