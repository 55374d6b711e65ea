"""Sends where no event loop may run, under gevent: the layer's own ``group_send``, on synchronous connections.

Sending, the layers of channels_redis await nothing but commands of redis-py. Given a client whose commands are done
when they are awaited, their coroutines run to the end without an event loop, and gevent lets other greenlets run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Coroutine
from importlib import import_module
from typing import Any

from channels_progress.transport.pacing import copy_layer, is_core_layer, is_of_class, pace

PUBSUB_MODULE = "channels_redis.pubsub"
CLIENTS_MODULE = "channels_progress.transport.redis_clients"


def make_synchronous(layer: Any, timeout_s: float) -> Any:
    """The same layer with sends that need no event loop; None where it is none of channels_redis.

    Args:
        layer: It is not changed.
        timeout_s: How long to wait for each answer.
    """

    def connect(host: Any) -> Client:
        # redis-py is an extra, which whoever has such a layer has installed.
        return Client(import_module(CLIENTS_MODULE).make_client(host, timeout_s))

    if is_core_layer(layer):
        clients = [connect(host) for host in layer.hosts]
        return pace(layer, clients.__getitem__, _pause)
    if is_of_class(layer, PUBSUB_MODULE, "RedisPubSubChannelLayer"):
        inner = sys.modules[PUBSUB_MODULE].RedisPubSubLoopLayer(*layer._args, **layer._kwargs, channel_layer=layer)
        for shard in inner._shards:
            shard._redis = connect(shard.host)
        synchronous = copy_layer(layer)
        synchronous._get_layer = lambda: inner
        return synchronous
    return None


def run_to_end(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run what waits for nothing.

    Raises:
        RuntimeError: It does wait.
    """
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("The channel layer needs an event loop to send.")


class Client:
    """A synchronous client in the shape of an asynchronous one."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        command = getattr(self._client, name)

        async def run(*args: Any, **options: Any) -> Any:
            return command(*args, **options)

        return run

    def pipeline(self) -> Pipeline:
        """The same for several commands."""
        return Pipeline(self._client.pipeline())


class Pipeline:
    """A synchronous pipeline in the shape of an asynchronous one."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)

    async def execute(self) -> list[Any]:
        """Run all commands; their answers."""
        answers: list[Any] = self._pipeline.execute()
        return answers


async def _pause(pause_s: float) -> None:
    time.sleep(pause_s)  # noqa: ASYNC251  there is no event loop; gevent lets others run
