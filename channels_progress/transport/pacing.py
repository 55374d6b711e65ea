"""Sends over channels_redis' core layer no faster than its readers read.

That layer keeps at most ``capacity`` messages (100 by default) for each server process, and drops what comes then: the
newest ones, and in silence. A process reads about 1,000 a second, a sender sends 2,000. So the sender looks how many
wait, in the round trip that the layer makes anyway to clean up, and while there are too many it waits.

It waits a short time only: a process that has stopped reading (killed, frozen) holds nobody up a second time, until it
is seen to read again. Part of the capacity is left free, for senders that look at the same time and for those that do
not look: a project's own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

#: The share of the capacity that is made use of.
USED_SHARE = 0.75
#: How long one send waits for readers; less than ``SEND_TIMEOUT_S``, as the layer is not away.
ROOM_WITHIN_S = 0.5
LOOK_AGAIN_S = 0.005

Pause = Callable[[float], Awaitable[None]]


def is_of_class(layer: Any, module: str, name: str) -> bool:
    """Whether the layer is one of this class; does not import what no layer is made of."""
    found = getattr(sys.modules.get(module), name, None)
    return found is not None and isinstance(layer, found)


def is_core_layer(layer: Any) -> bool:
    """Whether it is channels_redis' core layer, which drops what its readers have no time for."""
    return is_of_class(layer, "channels_redis.core", "RedisChannelLayer")


def copy_layer(layer: Any) -> Any:
    """Another one with the same attributes; ``copy.copy`` asks the pub/sub layer what it answers in a loop only."""
    twin = object.__new__(type(layer))
    twin.__dict__.update(layer.__dict__)
    return twin


def pace(layer: Any, connect: Callable[[int], Any], pause: Pause) -> Any:
    """The same core layer with sends that wait for the readers.

    Args:
        layer: It is not changed.
        connect: A connection to the host of this index; what ``layer.connection`` is.
        pause: ``asyncio.sleep``, or what takes its place where there is no event loop.
    """
    paced = copy_layer(layer)
    room = Room(layer, pause)
    paced.connection = lambda index: PacedConnection(connect(index), room)
    return paced


class PacedConnection:
    """A connection of the layer; ``group_send`` cleans the queues of a group in a pipeline, then adds to them."""

    def __init__(self, connection: Any, room: Room) -> None:
        self._connection = connection
        self._room = room

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def pipeline(self) -> PacedPipeline:
        """For the cleaning."""
        return PacedPipeline(self._connection, self._room)


class PacedPipeline:
    """Removes what has expired from some queues, and ends once they all have room."""

    def __init__(self, connection: Any, room: Room) -> None:
        self._connection = connection
        self._pipeline = connection.pipeline()
        self._room = room
        self._keys: list[str] = []

    def zremrangebyscore(self, key: str, **scores: Any) -> None:
        """Remove what has expired from this queue."""
        self._keys.append(key)
        self._pipeline.zremrangebyscore(key, **scores)

    async def execute(self) -> list[Any]:
        """Do it."""
        return await self._room.wait_for(self._connection, self._keys, self._pipeline)


class Room:
    """How full the queues of the server processes are, and which of them are not read."""

    def __init__(self, layer: Any, pause: Pause) -> None:
        self._layer = layer
        self._pause = pause
        self._unread: set[str] = set()

    async def wait_for(self, connection: Any, keys: list[str], pipeline: Any) -> list[Any]:
        """Execute the pipeline, then wait until there is room in these queues; its answers."""
        cleaned, full = await self._look(keys, pipeline)
        # A send asks the layer's hosts one after the other.
        deadline = time.monotonic() + ROOM_WITHIN_S / len(self._layer.hosts)
        while full and time.monotonic() < deadline:
            await self._pause(LOOK_AGAIN_S)
            _, full = await self._look(full, connection.pipeline())
        self._unread |= set(full)
        return cleaned

    async def _look(self, keys: list[str], pipeline: Any) -> tuple[list[Any], list[str]]:
        """What the pipeline has answered, and which of these queues are full and worth waiting for."""
        for key in keys:
            pipeline.zcard(key)
        answers = await pipeline.execute()
        lengths = dict(zip(keys, answers[-len(keys) :], strict=True))
        full = {key for key, length in lengths.items() if length >= self._find_limit(key)}
        self._unread -= lengths.keys() - full
        return answers[: -len(keys)], sorted(full - self._unread)

    def _find_limit(self, key: str) -> float:
        return float(self._layer.get_capacity(key.removeprefix(self._layer.prefix))) * USED_SHARE
