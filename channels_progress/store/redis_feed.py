"""Hints from Redis for one event loop: one pub/sub connection, however many channels are joined.

A receive is never cancelled to go on with the connection afterwards (a cancelled one can leave it deaf): a silent
connection is probed with PING beside the receive, and a lost one is thrown away whole.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import redis
import redis.asyncio as aioredis
from redis.exceptions import RedisError

from channels_progress.conf import get_namespace, get_settings
from channels_progress.exceptions import StoreUnavailable
from channels_progress.redis_hosts import ADDRESS_OPTIONS, pick_address
from channels_progress.store.contract import OnHint
from channels_progress.store.names import name_hints

logger = logging.getLogger(__name__)

#: A connection that was silent for this long is probed, and given up when it stays silent as long again.
PING_S = 5.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
#: Channels in one SUBSCRIBE.
CHANNELS_AT_ONCE = 1000

# The synchronous connections know more about TLS than the asyncio ones.
_ACCEPTED = ADDRESS_OPTIONS | {"socket_keepalive"} | set(inspect.signature(aioredis.SSLConnection).parameters)


class RedisFeed:
    """Hints of a Redis store, for the event loop it is made in.

    Args:
        pool: The store's pool, for where Redis is; none of its connections is used.
        on_hint: See ``contract.OnHint``.
        on_gap: Called after hints may have been lost, once all joined channels are in force again.
    """

    def __init__(self, pool: Any, on_hint: OnHint, on_gap: Callable[[], None]) -> None:
        self._pool = pool
        self._on_hint = on_hint
        self._on_gap = on_gap
        self._names: dict[str, bytes] = {}
        self._channels: dict[bytes, str] = {}
        self._unconfirmed: Counter[bytes] = Counter()
        self._in_force: set[bytes] = set()
        self._waiting: dict[bytes, asyncio.Future[bool]] = {}
        self._connection: Any = None
        self._heard = False
        self._missed = False
        self._closed = False

    async def join(self, channel: str) -> None:
        """See ``Feed.join``."""
        name = self._names.get(channel)
        if name is None:
            name = self._names[channel] = name_hints(get_namespace(), channel)
            self._channels[name] = channel
            await self._subscribe([name])
        if name in self._in_force:
            return
        future = self._waiting.setdefault(name, asyncio.get_running_loop().create_future())
        in_force = False
        with suppress(TimeoutError):
            in_force = await asyncio.wait_for(asyncio.shield(future), get_settings().STORE_TIMEOUT_S)
        if not in_force:
            self._missed = True
            raise StoreUnavailable("Redis did not confirm a subscription in time.")

    async def leave(self, channel: str) -> None:
        """See ``Feed.leave``."""
        if name := self._names.pop(channel, None):
            del self._channels[name]
            self._in_force.discard(name)
            self._settle(name, False)
            await self._send("UNSUBSCRIBE", name)

    async def run(self) -> None:
        """See ``Feed.run``."""
        failures = 0
        while not self._closed:
            try:
                connection = await self._connect()
                if failures:
                    logger.info("Hints arrive again.")
                failures = 0
                await self._serve(connection)
            except (RedisError, OSError) as error:
                failures += 1
                if failures == 1 and not self._closed:
                    logger.warning("No hints arrive for now: %s.", type(error).__name__)
            if not self._closed:
                _raise_swallowed_cancel()
                await asyncio.sleep(pause_s(failures, random.random))

    async def close(self) -> None:
        """See ``Feed.close``."""
        self._closed = True
        for name in list(self._waiting):
            self._settle(name, False)
        if self._connection:
            await self._connection.disconnect(nowait=True)

    async def _connect(self) -> Any:
        connection = await open_connection(self._pool)
        self._connection = connection
        await self._subscribe(list(self._channels))
        return connection

    async def _serve(self, connection: Any) -> None:
        """Deliver until the connection is lost, which raises."""
        tasks = [asyncio.create_task(work(connection)) for work in (self._deliver, self._watch)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._connection = None
            self._unconfirmed.clear()
            self._in_force.clear()
            self._missed = True
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            await connection.disconnect(nowait=True)
        for outcome in outcomes:
            if not isinstance(outcome, asyncio.CancelledError | None):
                raise outcome

    async def _deliver(self, connection: Any) -> None:
        while True:
            answer = await connection.read_response()
            self._heard = True
            if answer[0] == b"message":
                self._hand_on(answer[1], answer[2])
            elif answer[0] == b"subscribe":
                self._confirm(answer[1])

    async def _watch(self, connection: Any) -> None:
        while True:
            self._heard = False
            await asyncio.sleep(PING_S)
            if not self._heard:
                await connection.send_command("PING")
                _raise_swallowed_cancel()
                await asyncio.sleep(PING_S)
                if not self._heard:
                    raise redis.ConnectionError("No answer to PING.")

    def _hand_on(self, name: bytes, payload: bytes) -> None:
        channel = self._channels.get(name)
        if channel is None or payload[:1] not in (b"r", b"k"):
            return
        try:
            self._on_hint(channel, payload[:1] == b"r", payload[1:].decode())
        except Exception:
            # One hint must not cost the connection; what it said is found by the next resync.
            logger.exception("A hint was not handled.")

    def _confirm(self, name: bytes) -> None:
        self._unconfirmed[name] -= 1
        if self._unconfirmed[name] > 0:
            return  # left and joined again: only the last SUBSCRIBE counts
        del self._unconfirmed[name]
        if name in self._channels:
            self._in_force.add(name)
            self._settle(name, True)
        if self._missed and not self._unconfirmed:
            self._missed = False
            self._on_gap()

    def _settle(self, name: bytes, in_force: bool) -> None:
        future = self._waiting.pop(name, None)
        if future and not future.done():
            future.set_result(in_force)

    async def _subscribe(self, names: Sequence[bytes]) -> None:
        for start in range(0, len(names), CHANNELS_AT_ONCE):
            some = names[start : start + CHANNELS_AT_ONCE]
            if self._connection:
                self._unconfirmed.update(some)
            await self._send("SUBSCRIBE", *some)

    async def _send(self, *command: Any) -> None:
        if connection := self._connection:
            with suppress(RedisError, OSError):  # the receive, or the next PING, notices
                await connection.send_command(*command)
            _raise_swallowed_cancel()


def _raise_swallowed_cancel() -> None:
    """Raise the cancel that a write of redis-py has swallowed.

    It writes with ``asyncio.wait_for``, which until Python 3.12 returns as if nothing had happened when it is cancelled
    at the moment it finishes (python/cpython#86296): the task would run on for ever.
    """
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError


def pause_s(failures: int, random_share: Callable[[], float]) -> float:
    """How long to wait before connecting again: doubles up to a cap, and spreads the processes out."""
    longest: float = min(FIRST_PAUSE_S * 2.0**failures, LONGEST_PAUSE_S)
    return longest * (0.5 + random_share() / 2)


async def open_connection(pool: Any) -> Any:
    """An asyncio connection to where a synchronous pool's connections lead.

    Raises:
        redis.RedisError: Redis did not answer in time.
    """
    made_by = pool.connection_class
    if issubclass(made_by, redis.UnixDomainSocketConnection):
        kind: Any = aioredis.UnixDomainSocketConnection
    else:
        kind = aioredis.SSLConnection if issubclass(made_by, redis.SSLConnection) else aioredis.Connection
    options = pick_address(pool.connection_kwargs)
    if hasattr(pool, "get_master_address"):  # Sentinel: the address is asked for each time
        options["host"], options["port"] = await asyncio.to_thread(pool.get_master_address)
    if kind is not aioredis.UnixDomainSocketConnection:
        options["socket_keepalive"] = True
    timeout_s = get_settings().STORE_TIMEOUT_S
    connection = kind(
        **{key: value for key, value in options.items() if key in _ACCEPTED},
        protocol=2,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
    )
    try:
        await connection.connect()
        _raise_swallowed_cancel()
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    # Only the hand-shake may time out: a subscription is silent for hours.
    connection.socket_timeout = None
    return connection
