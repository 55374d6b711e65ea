"""A few threads, each with a connection of its own to a database: the callers wait for them, a short time.

Why not the caller's connection: inside ``atomic()`` nobody would see what is written there, and a rollback would take
it back. Why threads: no driver can promise to come back from a frozen database in time.

- A caller waits ``STORE_TIMEOUT_S``. Then the thread is *abandoned*: its connection is cut where the driver lets us,
  and it ends with its call, whenever that is. What it was told to do may still be done: every call may be repeated.
- Threads are daemons, start when they are needed and end when they are idle, with their connection.
- After a fork there is another store (``get_store``); the threads of this one are gone, and its connections are leaked
  rather than closed, because the parent speaks on them.
- An error of a connection that has been idle is no error yet (the server was restarted): the call is made again on a
  new one.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, DatabaseError, Error, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from channels_progress.conf import get_settings
from channels_progress.exceptions import StoreUnavailable

#: Connections of one process to the store's database.
MAX_THREADS = 4
#: Beyond so many threads that do not come back no other is started.
MAX_ABANDONED = 8
#: A thread without work for so long ends.
IDLE_S = 30.0

Answer = TypeVar("Answer")


class Call:
    """One job with its outcome."""

    def __init__(self, job: Callable[[], Any]) -> None:
        self._job = job
        self._answer: Any = None
        self._error: BaseException | None = None
        self.done = threading.Event()

    def make(self) -> None:
        """Do the job.

        Raises:
            Error: What the database says; the caller decides whether it is final.
        """
        try:
            self._answer = self._job()
        except Error:
            raise
        except BaseException as error:
            self._error = error
        self.done.set()

    def fail(self, error: BaseException) -> None:
        """The outcome is this error."""
        self._error = error
        self.done.set()

    @property
    def answer(self) -> Any:
        """What the job returned; raises what it raised."""
        if self._error:
            raise self._error
        return self._answer


class ConnectionThreads:
    """Runs jobs, in each of which ``connections[alias]`` is a connection of ours, in autocommit.

    Args:
        alias: Of ``DATABASES``.
        explain: Called in the job's thread with an error of the database; what to tell people of it.
    """

    def __init__(self, alias: str, explain: Callable[[Exception], str]) -> None:
        self._alias = alias
        self._explain = explain
        self._changed = threading.Condition()
        self._calls: deque[Call] = deque()
        self._threads: set[ConnectionThread] = set()
        self._abandoned: set[ConnectionThread] = set()
        self._idle = 0

    def run(self, job: Callable[[], Answer]) -> Answer:
        """What ``job()`` returns, or raises; it must do no harm if it is done twice.

        Raises:
            StoreUnavailable: The database did not do it in time, or refused.
        """
        call = Call(job)
        with self._changed:
            self._calls.append(call)
            if self._idle < len(self._calls):
                self._start_thread()
            self._changed.notify()
        if not call.done.wait(get_settings().STORE_TIMEOUT_S) and not self._give_up(call):
            call.done.wait()
        answer: Answer = call.answer
        return answer

    def start(self, job: Callable[[], Any]) -> None:
        """Do ``job()`` when there is nothing else to do; nobody hears how it went."""
        with self._changed:
            self._calls.append(Call(job))
            if self._idle < len(self._calls):
                self._start_thread()
            self._changed.notify()

    def close(self) -> None:
        """Let the threads end with their connections; the next call starts others."""
        with self._changed:
            for thread in self._threads:
                thread.is_leaving = True
            self._threads.clear()
            self._idle = 0
            self._changed.notify_all()

    def _start_thread(self) -> None:
        if len(self._threads) < MAX_THREADS and len(self._abandoned) < MAX_ABANDONED:
            thread = ConnectionThread(self._alias, self._serve)
            self._threads.add(thread)
            thread.start()

    def _give_up(self, call: Call) -> bool:
        """Leave a call alone that takes too long; False where it is done after all."""
        with self._changed:
            if call.done.is_set():
                return False
            if call in self._calls:
                self._calls.remove(call)
                call.fail(StoreUnavailable(f"All {MAX_THREADS} connections to the database are busy."))
                return True
            for thread in self._threads & {each for each in self._threads if each.call is call}:
                self._threads.remove(thread)
                self._abandoned.add(thread)
                thread.is_leaving = True
                thread.cut()
        call.fail(StoreUnavailable("The database did not answer in time."))
        return True

    def _serve(self, thread: ConnectionThread) -> None:
        """The work of one thread."""
        try:
            while call := self._take(thread):
                self._make(thread, call)
        finally:
            thread.close()
            with self._changed:
                self._threads.discard(thread)
                self._abandoned.discard(thread)

    def _take(self, thread: ConnectionThread) -> Call | None:
        """The next call; None where the thread should end."""
        leaves_at = time.monotonic() + IDLE_S
        with self._changed:
            thread.call = None
            while not thread.is_leaving:
                if self._calls:
                    thread.call = self._calls.popleft()
                    return thread.call
                self._idle += 1
                came = self._changed.wait(leaves_at - time.monotonic())
                if not thread.is_leaving:
                    self._idle -= 1
                if not came and not self._calls:
                    break
            self._threads.discard(thread)
            return None

    def _make(self, thread: ConnectionThread, call: Call) -> None:
        began = time.monotonic()
        was_used = thread.is_used
        try:
            thread.make(call)
        except Error as error:
            is_stale = was_used and isinstance(error, OperationalError | InterfaceError)
            if is_stale and not thread.is_leaving and time.monotonic() - began < get_settings().STORE_TIMEOUT_S:
                thread.close()
                self._make(thread, call)
            else:
                call.fail(self._translate(error, thread))
        except Exception as error:
            # No error of the job, which the call keeps: a driver that is missing, an option that it does not know.
            thread.close()
            call.fail(make_unavailable(error, f"The database cannot be connected to: {error}"))

    def _translate(self, error: Exception, thread: ConnectionThread) -> StoreUnavailable:
        text = f"The database failed with {type(error).__name__}: "
        try:
            text += self._explain(error)
        except DatabaseError:
            text += "it cannot be asked why."
        thread.close()
        return make_unavailable(error, text)


class ConnectionThread:
    """One thread with its connection.

    Attributes:
        call: What it is doing.
        is_leaving: It ends after that.
        is_used: The connection has done something before.
    """

    def __init__(self, alias: str, serve: Callable[[ConnectionThread], None]) -> None:
        self._alias = alias
        self._serve = serve
        self._guard = threading.Lock()
        self._connection: BaseDatabaseWrapper | None = None
        self.call: Call | None = None
        self.is_leaving = False
        self.is_used = False

    def start(self) -> None:
        """Begin to serve."""
        name = "channels_progress.store"
        threading.Thread(target=self._serve, args=(self,), name=name, daemon=True).start()

    def make(self, call: Call) -> None:
        """Do a job with the connection, which is opened if need be."""
        if self._connection is None:
            self._open()
        call.make()
        self.is_used = True
        if self._connection:
            self._connection.queries_log.clear()

    def _open(self) -> None:
        self._connection = connections[self._alias] = made = make_connection(self._alias)
        # Here, not with the first query: what goes wrong now is no mistake of the job.
        made.ensure_connection()
        tune(made)

    def close(self) -> None:
        """Close the connection; the next job opens another one."""
        with self._guard:
            connection, self._connection, self.is_used = self._connection, None, False
            if connection:
                with suppress(Exception):
                    connection.close()

    def cut(self) -> None:
        """End the conversation from another thread, so that this one gets an error, if it waits for the server."""
        with self._guard, suppress(Exception):
            if (number := find_socket(self._connection)) is not None:
                with socket.socket(fileno=os.dup(number)) as copy:
                    copy.shutdown(socket.SHUT_RDWR)


def make_unavailable(cause: Exception, text: str) -> StoreUnavailable:
    unavailable = StoreUnavailable(text)
    unavailable.__cause__ = cause
    return unavailable


def make_connection(alias: str) -> BaseDatabaseWrapper:
    """A connection for this thread as ``DATABASES`` says, in autocommit, that gives up early where it can."""
    described = {**connections.settings[alias]}
    # No deep copy: options may be what cannot be copied, such as an SSL context.
    described["OPTIONS"] = options = {**described["OPTIONS"]}
    described.update(ATOMIC_REQUESTS=False, AUTOCOMMIT=True, CONN_MAX_AGE=None, CONN_HEALTH_CHECKS=False)
    timeout_s = get_settings().STORE_TIMEOUT_S
    made: BaseDatabaseWrapper = load_backend(described["ENGINE"]).DatabaseWrapper(described, alias)
    options.pop("pool", None)
    if made.vendor == "sqlite":
        # IMMEDIATE: a transaction that has read cannot wait for its turn to write.
        options |= {"timeout": timeout_s, "transaction_mode": "IMMEDIATE"}
    else:
        # Whole seconds; libpq takes at least two.
        options["connect_timeout"] = max(2, math.ceil(timeout_s))
    if made.vendor == "mysql":
        options |= {name: max(1, math.ceil(timeout_s)) for name in ("read_timeout", "write_timeout")}
    return made


def tune(connection: BaseDatabaseWrapper) -> None:
    """A SQLite file that is the store's alone gets a write-ahead log, which readers and the writer share in peace."""
    if connection.vendor != "sqlite" or shares_file(connection.alias):
        return
    with connection.cursor() as cursor:
        # Another process that opens it at this moment does the same.
        with suppress(OperationalError):
            cursor.execute("PRAGMA journal_mode = WAL")
        # What a power cut takes is a few seconds of progress.
        cursor.execute("PRAGMA synchronous = NORMAL")


def shares_file(alias: str) -> bool:
    """Whether a SQLite database is also there for something else than the store."""
    name = connections.settings[alias]["NAME"]
    others = [other for other in connections.settings if other != alias]
    return alias == DEFAULT_DB_ALIAS or any(connections.settings[other]["NAME"] == name for other in others)


def find_socket(connection: Any) -> int | None:
    """The number of the socket that a connection waits at; None where there is none, or the driver hides it."""
    raw = getattr(connection, "connection", None)
    if raw is None:
        return None
    if hasattr(raw, "fileno"):  # psycopg
        return int(raw.fileno())
    return int(raw._sock.fileno()) if hasattr(raw, "_sock") else None  # PyMySQL
