"""Synchronous clients for the hosts of a channel layer: short timeouts, and no patience."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from channels_progress.redis_hosts import pick_address


def make_client(host: Mapping[str, Any], timeout_s: float) -> redis.Redis:
    """A client for a host as ``channels_redis`` describes one. Connects when first used.

    Args:
        host: What ``channels_redis.utils.create_pool`` takes; only what says where and as whom to connect is used.
        timeout_s: How long to wait for each answer.
    """
    times = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
    pool = _make_pool(host, {**pick_address(host), "protocol": 2}, times)
    # Also instead of what the URL says. Tried again once, at once: Redis may have closed an idle connection.
    retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    pool.connection_kwargs.update(times, retry=retry, retry_on_timeout=False, retry_on_error=[])
    return redis.Redis(connection_pool=pool)


def _make_pool(host: Mapping[str, Any], options: Mapping[str, Any], times: Mapping[str, float]) -> Any:
    if "address" in host:
        return redis.ConnectionPool.from_url(host["address"], **options)
    if "master_name" in host:
        to_sentinels = {**(host.get("sentinel_kwargs") or {}), **times}
        sentinels: Any = redis.Sentinel(host["sentinels"], sentinel_kwargs=to_sentinels)  # type: ignore[no-untyped-call]
        return redis.SentinelConnectionPool(host["master_name"], sentinels, **options)  # type: ignore[no-untyped-call]
    return redis.ConnectionPool(**options)
