"""Settings are read when they are used, and ``redis_channel_layers`` gives a layer that works."""

from __future__ import annotations

from uuid import uuid4

import pytest
from channels.layers import channel_layers, get_channel_layer
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from channels_progress.conf import Settings, get_namespace, get_settings, redis_channel_layers


@pytest.mark.parametrize("given", [None, {}])
def test_everything_has_a_default(given: object) -> None:
    with override_settings(CHANNELS_PROGRESS=given):
        assert get_settings() == Settings()


def test_overridden_settings_are_in_force_at_once_and_gone_after() -> None:
    before = get_settings()
    with override_settings(CHANNELS_PROGRESS={"RESYNC_S": 1.5, "UNKNOWN": 7}):
        assert get_settings() == Settings(RESYNC_S=1.5)
    assert get_settings() == before != Settings(RESYNC_S=1.5)


def test_settings_that_are_no_dict_are_refused() -> None:
    with (
        override_settings(CHANNELS_PROGRESS=["STORE"]),
        pytest.raises(ImproperlyConfigured, match="a dict is expected"),
    ):
        get_settings()


def test_namespace_may_be_asked_at_every_use() -> None:
    tenants = iter(["a", "b"])
    with override_settings(CHANNELS_PROGRESS={"NAMESPACE": lambda: next(tenants)}):
        assert [get_namespace(), get_namespace()] == ["a", "b"]


def test_redis_channel_layers_is_a_value_for_channel_layers() -> None:
    assert redis_channel_layers("redis://h/3", prefix="mysite") == {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [{"address": "redis://h/3", "socket_timeout": None}], "prefix": "mysite"},
        }
    }


async def test_layer_passes_a_message_and_never_times_out_while_idle(redis_url: str) -> None:
    prefix = f"test-{uuid4().hex}"
    with override_settings(CHANNEL_LAYERS=redis_channel_layers(redis_url, prefix=prefix)):
        layer = get_channel_layer()
        assert isinstance(layer, RedisPubSubChannelLayer)
        channel = await layer.new_channel()
        await layer.group_add("group", channel)
        await layer.group_send("group", {"type": "hello", "text": "Grüße"})
        assert await layer.receive(channel) == {"type": "hello", "text": "Grüße"}
        [shard] = layer._get_layer()._shards
        assert shard._redis.connection_pool.make_connection().socket_timeout is None
        await layer.flush()
    assert channel_layers.backends == {}
