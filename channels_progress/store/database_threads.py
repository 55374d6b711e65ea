"""A few threads, each with a connection of its own to a database: the callers wait for them, a short time.

Why not the caller's connection: inside ``atomic()`` nobody would see what is written there, and a rollback would take
it back. Why threads: no driver can promise to come back from a frozen database in time.

- A caller waits ``STORE_TIMEOUT_S``. Then the thread is *abandoned*: its connection is cut where the driver lets us,
  and it ends with its call, whenever that is. What it was told to do may still be done: every call may be repeated.
- Threads are daemons, start when they are needed and end when they are idle, with their connection.
- After a fork there is another store (``get_store``); the threads of this one are gone, and its connections are leaked
  rather than closed, because the parent speaks on them. Those to SQLite are closed before (``database_forks``).
- An error of a connection that has been idle is no error yet (the server was restarted): the call is made again on a
  new one.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from django.db import DatabaseError, Error, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from channels_progress.conf import get_settings
from channels_progress.exceptions import StoreUnavailable
from channels_progress.store.database_connections import find_socket, make_connection, tune
from channels_progress.store.database_forks import halt_for_forks

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
        # All of them, those that are about to end included.
        self._alive: set[ConnectionThread] = set()
        self._held: list[ConnectionThread] = []
        self._idle = 0
        # By name, as a backend whose driver is missing cannot be loaded: "sqlite3", "spatialite".
        if "lite" in connections.settings[alias]["ENGINE"]:
            halt_for_forks(self)

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

    def halt(self) -> None:
        """See ``database_forks.Haltable``."""
        self._changed.acquire()
        self._held = [thread for thread in self._alive if thread.hold(get_settings().STORE_TIMEOUT_S)]

    def resume(self) -> None:
        """See ``database_forks.Haltable``."""
        while self._held:
            self._held.pop().busy.release()
        self._changed.release()

    def _start_thread(self) -> None:
        if len(self._threads) < MAX_THREADS and len(self._abandoned) < MAX_ABANDONED:
            thread = ConnectionThread(self._alias, self._serve)
            self._threads.add(thread)
            self._alive.add(thread)
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
                with thread.busy:
                    self._make(thread, call)
        finally:
            with thread.busy:
                thread.close()
            with self._changed:
                self._alive.discard(thread)
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
        busy: Held by whoever uses or closes the connection.
    """

    def __init__(self, alias: str, serve: Callable[[ConnectionThread], None]) -> None:
        self._alias = alias
        self._serve = serve
        self._guard = threading.Lock()
        self._connection: BaseDatabaseWrapper | None = None
        self.call: Call | None = None
        self.is_leaving = False
        self.is_used = False
        self.busy = threading.Lock()

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

    def hold(self, patience_s: float) -> bool:
        """Take ``busy`` and close the connection, from another thread; False where that takes longer."""
        if not self.busy.acquire(timeout=patience_s):
            return False
        if self._connection:
            self._connection.inc_thread_sharing()
            self.close()
        return True

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
