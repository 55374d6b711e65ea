"""Channel layers that tests run on."""

from __future__ import annotations

from typing import Any

PUBSUB = "channels_redis.pubsub.RedisPubSubChannelLayer"
CORE = "channels_redis.core.RedisChannelLayer"


def make_layers(backend: str, url: str, **config: Any) -> dict[str, Any]:
    """A ``CHANNEL_LAYERS`` for this Redis."""
    hosts = [{"address": url, "socket_timeout": None}]
    return {"default": {"BACKEND": backend, "CONFIG": {"hosts": hosts, **config}}}
