"""Sends to groups of the channel layer, from any thread, on connections that stay open.

One event loop in one thread of the process does the sending, one message after the other: in order, and with one
connection however many messages (``async_to_sync`` would open one for each). The loop starts with the first message,
so never in the parent of a prefork pool that sends nothing; a fork's child starts its own.

- A *hint* may be lost: nobody waits for it. While the layer is away, what waits is dropped; of what waits a newer
  replaceable hint of a group takes the place of an older one; and no more than ``MAX_WAITING`` wait.
- A *dispatch* is waited for: its sender learns whether the layer took it. While the layer is known to be away it is
  refused at once. Hints and dispatches take turns.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Hashable, Iterable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from channels.layers import InMemoryChannelLayer, get_channel_layer

from channels_progress.transport.layers import can_send
from channels_progress.transport.local import post_locally
from channels_progress.transport.outage import Outage
from channels_progress.transport.pacing import is_core_layer, pace
from channels_progress.transport.synchronous import make_synchronous, run_to_end

MAX_WAITING = 1_000
SEND_TIMEOUT_S = 1.0
#: How long one waits while nothing at all is settled: the sender's thread has come to a stand.
LONGEST_STAND_S = 5.0
WHAT_TO_WRITE = (
    "there is no channel layer. Write CHANNEL_LAYERS = redis_channel_layers(…), from channels_progress.conf."
)


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What is on its way, and who waits for it.

    Attributes:
        taken: Whether the layer took it, once that is known. Of a hint nobody asks.
    """

    group: str
    envelope: dict[str, Any]
    taken: Future[bool] = field(default_factory=Future)

    def settle(self, taken: bool) -> None:
        """Tell who waits, if still somebody does."""
        with suppress(InvalidStateError):
            self.taken.set_result(taken)


class Sender:
    """Sends envelopes. Of a process there is one."""

    def __init__(self) -> None:
        self._leaked: list[asyncio.AbstractEventLoop] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._start_afresh()

    def _start_afresh(self) -> None:
        # After a fork: the parent's loop is the parent's, and not to be closed here.
        self._leaked += filter(None, [self._loop])
        self._guard = threading.Lock()
        self._outage = Outage()
        self._hints: dict[Hashable, Dispatch] = {}
        self._dispatches: deque[Dispatch] = deque()
        self._thread: threading.Thread | None = None
        self._loop = None
        self._news: asyncio.Event | None = None
        self._current: Dispatch | None = None
        self._hints_turn = False
        self._settled = 0
        # What get_channel_layer has given, and what is made of it here.
        self._given_layer: Any = None
        self._layer: Any = None
        # May be taken twice: a handler of the log may send what a layer logs.
        self._line = threading.RLock()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, and nothing is under way."""
        with self._guard:
            return not (self._hints or self._dispatches or self._current)

    def send(self, group: str, envelope: dict[str, Any]) -> None:
        """Send a hint soon; returns at once. Never raises."""
        with self._guard:
            if len(self._hints) >= MAX_WAITING:
                return
            key: Hashable = group if envelope["kind"] == "r" else object()
            self._hints.pop(key, None)
            self._hints[key] = Dispatch(group, envelope)
            self._wake()

    def deliver(self, group: str, envelope: dict[str, Any]) -> bool:
        """Send, and wait for the layer to take it; in order for each thread. Never raises.

        Returns:
            True: the layer took it (a process-local one: will take it, in its loop). False: it failed, or did not
            answer in time and may have taken it or not; one warning says so for each outage, in which all further
            calls return at once.
        """
        return self._wait(self._hand_over(group, envelope))

    def deliver_each(self, messages: Iterable[tuple[str, dict[str, Any]]]) -> bool:
        """Likewise for several, which wait in line together; whether the layer took all of them.

        After the first that it did not take the others are not waited for.
        """
        waiting = [self._hand_over(group, envelope) for group, envelope in messages]
        return all(self._wait(taken) for taken in waiting)

    def _wait(self, taken: Future[bool]) -> bool:
        while True:
            settled = self._settled
            try:
                return taken.result(LONGEST_STAND_S)
            except TimeoutError as error:
                if settled == self._settled:
                    return self._give_up(taken, error)

    async def adeliver(self, group: str, envelope: dict[str, Any]) -> bool:
        """The same for a coroutine; its event loop goes on meanwhile. Cancelled, it may not be sent."""
        taken = self._hand_over(group, envelope)
        answer = asyncio.wrap_future(taken)
        try:
            while True:
                settled = self._settled
                await asyncio.wait([answer], timeout=LONGEST_STAND_S)
                if answer.done():
                    return answer.result()
                if settled == self._settled:
                    return self._give_up(taken, TimeoutError())
        finally:
            taken.cancel()

    def _hand_over(self, group: str, envelope: dict[str, Any]) -> Future[bool]:
        dispatch = Dispatch(group, envelope)
        try:
            self._route(dispatch)
        except Exception as error:
            # A layer that cannot be made, a thread that cannot be started.
            self._outage.note_failure(error)
            dispatch.settle(False)
        return dispatch.taken

    def _route(self, dispatch: Dispatch) -> None:
        layer = get_channel_layer()
        if layer is None:
            self._outage.tell(WHAT_TO_WRITE)
            dispatch.settle(False)
        elif isinstance(layer, InMemoryChannelLayer):
            post_locally(layer, dispatch.group, dispatch.envelope)
            dispatch.settle(True)
        elif threading.current_thread() is self._thread or self._outage.pause_s:
            # The sender cannot wait for itself: a handler of the log may send what a layer has logged.
            dispatch.settle(False)
        elif can_send():
            self._queue_up(dispatch)
        else:
            dispatch.settle(self._send_without_loop(layer, dispatch))

    def _queue_up(self, dispatch: Dispatch) -> None:
        with self._guard:
            if not self._outage.admit():
                dispatch.settle(False)
                return
            self._dispatches.append(dispatch)
            self._wake()

    def _send_without_loop(self, layer: Any, dispatch: Dispatch) -> bool:
        # One at a time, as with the loop: in order, on one connection.
        with self._line:
            if not self._outage.admit():
                return False
            if (synchronous := self._prepare(layer)) is None:
                self._outage.tell("under gevent there must be a channel layer of channels_redis.")
                return False
            run_to_end(synchronous.group_send(dispatch.group, dispatch.envelope))
            self._outage.note_success()
            return True

    def _prepare(self, layer: Any) -> Any:
        if layer is not self._given_layer:
            self._given_layer = layer
            if not can_send():
                self._layer = make_synchronous(layer, SEND_TIMEOUT_S)
            else:
                self._layer = pace(layer, layer.connection, asyncio.sleep) if is_core_layer(layer) else layer
        return self._layer

    def _give_up(self, taken: Future[bool], error: TimeoutError) -> bool:
        taken.cancel()
        self._outage.note_failure(error)
        return False

    def _wake(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="channels_progress.sender", daemon=True)
            self._thread.start()
        if self._loop and self._news:
            # Of a thread that has ended the loop is closed; the next one finds what waits.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._news.set)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        news = asyncio.Event()
        with self._guard:
            self._loop, self._news = asyncio.get_running_loop(), news
        while True:
            while dispatch := self._take():
                await self._send(dispatch)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._outage.pause_s if self._hints else None):
                    await news.wait()
            news.clear()

    def _take(self) -> Dispatch | None:
        with self._guard:
            hint = None if self._outage.pause_s else next(iter(self._hints), None)
            if hint is not None and (self._hints_turn or not self._dispatches):
                self._current, self._hints_turn = self._hints.pop(hint), False
            else:
                self._current = self._dispatches.popleft() if self._dispatches else None
                self._hints_turn = True
            return self._current

    async def _send(self, dispatch: Dispatch) -> None:
        self._settled += 1
        if dispatch.taken.cancelled():
            return
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._prepare(get_channel_layer()).group_send(dispatch.group, dispatch.envelope)
        except (Exception, asyncio.CancelledError) as error:
            # Nobody cancels this loop's one task: the layer has cancelled itself.
            self._drop(dispatch, error)
        else:
            self._outage.note_success()
            dispatch.settle(True)

    def _drop(self, dispatch: Dispatch, error: BaseException) -> None:
        # First: who is told then does not wait for the layer again.
        self._outage.note_failure(error)
        with self._guard:
            dropped = [dispatch, *self._dispatches]
            self._hints.clear()
            self._dispatches.clear()
        for waiting in dropped:
            waiting.settle(False)


_sender = Sender()


def get_sender() -> Sender:
    """The sender of this process."""
    return _sender


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_sender._start_afresh)
