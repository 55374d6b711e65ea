"""Talks to Redis: few connections, short timeouts, no retries, and no waiting while it is away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis
from django.core.exceptions import ImproperlyConfigured
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.retry import Retry

from channels_progress.conf import get_settings
from channels_progress.exceptions import StoreUnavailable
from channels_progress.redis_hosts import pick_address
from channels_progress.store.breaker import CircuitBreaker
from channels_progress.store.scripts import Script

#: A script and its arguments: two keys first.
Call = tuple[Script, Sequence[Any]]
#: Connections of one process to its store, besides the one of each event loop's feed.
MAX_CONNECTIONS = 8


def make_client(host: Mapping[str, Any]) -> redis.Redis:
    """A client for a host as ``channels_redis`` describes one. Connects when first used.

    Raises:
        ImproperlyConfigured: It has no valid address. Says nothing of the address, which may hold a password.
    """
    # RESP2: every answer used here looks alike in both, and RESP3 would turn on redis-py's maintenance hand-shake.
    options = {**pick_address(host), "protocol": 2}
    try:
        if "address" in host:
            pool = redis.ConnectionPool.from_url(host["address"], **options)
        else:
            pool = redis.ConnectionPool(**options)
    except (ValueError, TypeError):
        problem = "The Redis store's address is not valid. Write redis://[[user]:password@]host[:port][/db]; "
        # urllib's message quotes a part of the URL that can be the password.
        raise ImproperlyConfigured(problem + "special characters in the password as %XX.") from None
    return redis.Redis(connection_pool=pool)


class ChangesRefused(StoreUnavailable):
    """Redis answers, and takes no changes: it is full, or a replica, or cannot write to its disk."""


class RedisConnections:
    """Runs scripts and pipelines on connections as a client's pool would make them.

    ``run…`` is for what changes something, ``ask…`` for what only reads: a Redis that refuses changes is still asked.

    The pool itself is not used: getting a connection from it and giving it back costs as much as a script runs. The
    client is ours alone: its timeouts are set to ``STORE_TIMEOUT_S`` and its retries taken away.
    """

    def __init__(self, client: redis.Redis, breaker: CircuitBreaker) -> None:
        self.pool = client.connection_pool
        self._breaker = breaker
        self._changes_breaker = CircuitBreaker(ChangesRefused)
        self._client = client  # would close its pool when it is collected
        self._idle: list[Any] = []
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        # Scripts whose text this process has sent, so that the server should know them.
        self._sent: set[Script] = set()
        self._timeout_s = timeout_s = get_settings().STORE_TIMEOUT_S
        self.pool.connection_kwargs.update(
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),  # redis-py 8 retries ten times by default
            retry_on_timeout=False,
            retry_on_error=[],
            health_check_interval=0,
            decode_responses=False,
        )

    @property
    def available(self) -> bool:
        """Whether changes would be tried."""
        return self._breaker.closed and self._changes_breaker.closed

    def run(self, script: Script, *args: Any) -> Any:
        """The answer of ``script`` to ``args``: two keys, then its arguments.

        Raises:
            StoreUnavailable: Redis did not answer in time, or refused.
        """
        return self._change(_run, script, args)

    def run_each(self, calls: Sequence[Call]) -> list[Any]:
        """The answers to several calls, in one round trip (two, where a script is not loaded yet).

        None stands where something else lives under a call's key.
        """
        answers: list[Any] = self._change(_run_each, calls)
        return answers

    def run_first(self, calls: Sequence[Call]) -> list[Any]:
        """The same where the first call is the one that counts: if it fails, that is raised; for others that fail
        None stands. Each is made after those before it; where a script is not loaded, those behind it are repeated.
        """
        script, _ = calls[0]
        answers: list[Any] = self._change(_run_first, calls, script not in self._sent)
        self._sent.add(script)
        return answers

    def ask(self, script: Script, *args: Any) -> Any:
        """The same for a script that changes nothing."""
        return self._ask(_run, script, args)

    def ask_each(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """The answers to several commands, in one round trip; None as in ``run_each``."""
        answers: list[Any] = self._ask(_ask_each, commands)
        return answers

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        while self._idle:
            self._idle.pop().disconnect()

    def _change(self, conversation: Callable[..., Any], *args: Any) -> Any:
        return self._changes_breaker.call(self._ask, conversation, *args)

    def _ask(self, conversation: Callable[..., Any], *args: Any) -> Any:
        # Outside the breaker: that all connections are busy is no reason to believe that Redis is away.
        if not self._slots.acquire(timeout=self._timeout_s):
            raise StoreUnavailable(f"All {MAX_CONNECTIONS} connections to Redis are busy.")
        try:
            answer = self._breaker.call(self._talk, conversation, args)
        except RedisError as error:
            raise self._translate(error) from error
        finally:
            self._slots.release()
        if isinstance(answer, ChangesRefused):
            raise answer
        return answer

    def _talk(self, conversation: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        try:
            return self._talk_on_any(conversation, args)
        except (RedisError, OSError) as error:
            if _spoils_one_key(error):
                raise
            unavailable = self._translate(error)
            unavailable.__cause__ = self._safe_cause(error)
            if isinstance(unavailable, ChangesRefused):
                return unavailable  # Redis is there: no failure for the breaker of all calls
            raise unavailable from unavailable.__cause__

    def _talk_on_any(self, conversation: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if idle := self._take_idle():
            try:
                return self._talk_on(idle, conversation, args)
            except redis.ConnectionError:
                pass  # closed by Redis while it was idle; to repeat a call does no harm
        fresh = self.pool.connection_class(**self.pool.connection_kwargs)
        fresh.connect()
        return self._talk_on(fresh, conversation, args)

    def _take_idle(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _talk_on(self, connection: Any, conversation: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        try:
            answer = conversation(connection, *args)
        except BaseException:
            connection.disconnect()  # an answer may still be on its way
            raise
        self._idle.append(connection)
        return answer

    def _translate(self, error: Exception) -> StoreUnavailable:
        text = "(its text is withheld)" if self._safe_cause(error) is None else str(error)
        kind = ChangesRefused if _refuses_changes(error) else StoreUnavailable
        return kind(f"Redis failed with {type(error).__name__}: {text}")

    def _safe_cause(self, error: Exception) -> Exception | None:
        """``error``, or None where its text may hold a secret: Redis quotes the arguments of a command it refuses."""
        secret = self.pool.connection_kwargs.get("password")
        unknown = self.pool.connection_kwargs.get("credential_provider") and isinstance(error, ResponseError)
        return None if unknown or (secret and str(secret) in str(error)) else error


def _spoils_one_key(error: Exception) -> bool:
    """Something else lives under one task's key: no reason to give up on the others."""
    return isinstance(error, ResponseError) and "WRONGTYPE" in str(error)


def _refuses_changes(error: Exception) -> bool:
    """By the codes of Redis' ``src/server.c``. redis-py has classes for two of them; Redis 6 wraps those of scripts."""
    codes = ("OOM ", "READONLY ", "MISCONF ", "NOREPLICAS ")
    is_known = isinstance(error, OutOfMemoryError | ReadOnlyError)
    return is_known or (isinstance(error, ResponseError) and any(code in str(error) for code in codes))


def _run(connection: Any, script: Script, args: Sequence[Any]) -> Any:
    connection.send_command("EVALSHA", script.sha, 2, *args)
    try:
        return connection.read_response()
    except NoScriptError:
        connection.send_command("EVAL", script.text, 2, *args)
        return connection.read_response()


def _run_each(connection: Any, calls: Sequence[Call]) -> list[Any]:
    return [_settle(answer) for answer in _run_in_order(connection, calls)]


def _run_first(connection: Any, calls: Sequence[Call], is_new: bool) -> list[Any]:
    first, *others = _run_in_order(connection, calls, new=1 if is_new else 0)
    if isinstance(first, ResponseError):
        raise first
    return [first, *(None if isinstance(answer, ResponseError) else answer for answer in others)]


def _run_in_order(connection: Any, calls: Sequence[Call], *, new: int = 0) -> list[Any]:
    """The answers, with the text of the first ``new`` scripts sent at once."""
    answers = _exchange(connection, [*map(_in_full, calls[:new]), *map(_by_name, calls[new:])])
    unknown = next((i for i, answer in enumerate(answers) if isinstance(answer, NoScriptError)), len(calls))
    return answers[:unknown] + _exchange(connection, [*map(_in_full, calls[unknown:])])


def _by_name(call: Call) -> tuple[Any, ...]:
    script, args = call
    return ("EVALSHA", script.sha, 2, *args)


def _in_full(call: Call) -> tuple[Any, ...]:
    script, args = call
    return ("EVAL", script.text, 2, *args)


def _ask_each(connection: Any, commands: Sequence[Sequence[Any]]) -> list[Any]:
    return [_settle(answer) for answer in _exchange(connection, commands)]


def _exchange(connection: Any, commands: Sequence[Sequence[Any]]) -> list[Any]:
    """Answers in order; an error that Redis answered stands in its place, so that all answers are read."""
    if not commands:
        return []
    connection.send_packed_command(connection.pack_commands(commands))
    return [_read_answer(connection) for _ in commands]


def _read_answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


def _settle(answer: Any) -> Any:
    if not isinstance(answer, ResponseError):
        return answer
    if _spoils_one_key(answer):
        return None
    raise answer
