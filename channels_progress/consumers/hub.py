"""Feeds the sockets of one event loop: one feed of the store, however many sockets, and a frame is text made once.

Of a **hub** there is one per event loop and namespace, made by ``get_hub`` for the first socket. It is

- *new* until a socket attaches, then
- *serving*: a supervised task owns the feed, the resync and the sweep of slow sockets. Where one of them fails, the
  feed is closed, all is logged, and after a pause another feed joins what is watched; back to serving;
- *stopped* once the last socket has detached or the loop ends. A stopped hub is forgotten: the next socket gets a
  new one. So an idle process holds no connection, and no task outlives its loop.

A changed store (tests, ``override_settings``) makes ``get_hub`` give new sockets a new hub; the old one serves its own.

A **channel** is *unwatched* (no entry), *joining* (members wait for the feed's word), *in force*, or *leaving*. The
members say what is wanted; at most one task per channel brings the feed in line with it, step by step, and looks again
after each step. So a join that meets a leave under way waits for it, then joins; two joins are one; a join whose
socket goes meanwhile is undone; and a consumer that is cancelled half way leaves nothing half done.

The races, and why no ending is missed:

- *Hint between join and reading.* A socket is a member before the store is read for it, so whatever is written after
  the reading comes as a hint. It may be sent before the reading: the page drops what is older than what it shows.
- *Lost hint* (Redis restarted, a full buffer). Every ``RESYNC_S``, and at once after a gap, versions in the store are
  compared with what *all* members of a channel have been sent. A reading made for one socket only counts for all
  where it is the only one; else, if it is news, the channel is *stale* and is read for all at the next resync.
- *New epoch.* A hint of another epoch than the one known is not sent, but triggers a reading, which is. A hint that
  is dropped while that reading is made marks the channel stale again, and wakes the resync again.
- *Store away.* A subscription is confirmed, its channel is stale, and the resync tries until the store answers.
- *Silence.* A heartbeat is no hint: the resync notices when the liveness changes, and when a record is gone.
- *Two kinds of channel*, tasks and lists of tasks, differ only in what ``sources`` makes of them.

A reading sent to a page always follows a ``subscribed`` frame of its channel, which is how the page knows it from a
hint.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from channels_progress.conf import get_namespace, get_settings, make_pinned_context
from channels_progress.consumers.outbox import Outbox
from channels_progress.consumers.protocol import subscribed_text
from channels_progress.consumers.readings import Reader
from channels_progress.consumers.resync import Resync, make_pauses
from channels_progress.consumers.sources import Since
from channels_progress.consumers.watch import Watch
from channels_progress.exceptions import StoreUnavailable
from channels_progress.store import Store, get_store
from channels_progress.store.contract import Feed

logger = logging.getLogger("channels_progress")

CLOSE_TIMEOUT_S = 1.0

_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Hub]] = WeakKeyDictionary()


def get_hub() -> Hub:
    """The hub of the running event loop for the namespace in force."""
    hubs = _hubs.setdefault(asyncio.get_running_loop(), {})
    namespace, store = get_namespace(), get_store()
    hub = hubs.get(namespace)
    if hub is None or hub.is_stopped or hub.store is not store:
        hub = hubs[namespace] = Hub(store, namespace)
    return hub


class Hub:
    """Hands what the store announces to the sockets that watch it.

    Attributes:
        store: Where it reads.
        is_stopped: Its last socket has detached.
    """

    def __init__(self, store: Store, namespace: str) -> None:
        self.store = store
        self.is_stopped = False
        self._namespace = namespace
        self._context = make_pinned_context(namespace)
        self._reader = Reader(store, self._context)
        self._channels: dict[Outbox, set[str]] = {}
        self._watches: dict[str, Watch] = {}
        self._feed: Feed | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._settlers: set[asyncio.Task[None]] = set()
        self._resync = Resync(self._reader, self._watches, self._settle_all)

    def attach(self, outbox: Outbox) -> None:
        """A socket is open."""
        self._channels[outbox] = set()
        if self._supervisor is None:
            self._supervisor = self._start(self._supervise())

    def detach(self, outbox: Outbox) -> None:
        """The socket is gone, with all its subscriptions."""
        for channel in self._channels.pop(outbox, ()):
            self._drop(outbox, channel)
        if not self._channels and self._supervisor is not None:
            self._retire()
            self._supervisor.cancel()

    async def subscribe(self, outbox: Outbox, wanted: Mapping[str, Since | None]) -> None:
        """Watch these channels, and send a reading of each, with the messages after the position given for it.

        A channel where nothing is there yet is watched, too; one that the store does not answer for is read later.
        """
        await self._join(outbox, wanted)
        readings = await self._reader.read(wanted)
        for channel in wanted:
            outbox.push(subscribed_text(channel))
            watch = self._watches.get(channel)
            if watch is None or outbox not in watch.members:
                continue
            if channel not in readings:
                self._resync.soon(watch)
            elif (reading := readings[channel]) is not None:
                outbox.push(reading.text)
                if not watch.take_reading_of_one(reading):
                    self._resync.soon(watch)
            elif wanted[channel]:
                watch.seen = True

    def unsubscribe(self, outbox: Outbox, channel: str) -> None:
        """Stop watching; a channel that is not watched is ignored."""
        if channel in self._channels[outbox]:
            self._channels[outbox].remove(channel)
            self._drop(outbox, channel)

    async def _join(self, outbox: Outbox, channels: Iterable[str]) -> None:
        """Return once the feed delivers the hints of all channels, or after ``STORE_TIMEOUT_S``."""
        watches = [self._watches.setdefault(channel, Watch(channel)) for channel in channels]
        for watch in watches:
            watch.members.add(outbox)
            self._channels[outbox].add(watch.channel)
            self._settle(watch)
        try:
            async with asyncio.timeout(get_settings().STORE_TIMEOUT_S):
                for watch in watches:
                    await watch.in_force.wait()
        except TimeoutError:
            for watch in watches:
                watch.stale = watch.stale or not watch.joined

    def _drop(self, outbox: Outbox, channel: str) -> None:
        watch = self._watches[channel]
        watch.members.discard(outbox)
        self._settle(watch)

    def _settle(self, watch: Watch) -> None:
        """See to it that the feed has joined the channel exactly if it has members."""
        if self._feed is not None and not watch.settling and not watch.is_settled:
            watch.settling = True
            task = self._start(self._step(watch, self._feed))
            self._settlers.add(task)
            task.add_done_callback(self._settlers.discard)
        elif not watch.settling and not watch.joined and not watch.members:
            del self._watches[watch.channel]

    async def _settle_all(self) -> bool:
        """Settle every channel that is not; whether all are, after at most ``STORE_TIMEOUT_S``."""
        for watch in list(self._watches.values()):
            self._settle(watch)
        if self._settlers:
            await asyncio.wait(self._settlers, timeout=get_settings().STORE_TIMEOUT_S)
        return all(watch.is_settled for watch in self._watches.values())

    async def _step(self, watch: Watch, feed: Feed) -> None:
        try:
            while not watch.is_settled:
                if watch.members:
                    await feed.join(watch.channel)
                    watch.set_joined(True)
                    if watch.stale:
                        self._resync.soon()
                else:
                    watch.in_force.clear()
                    await feed.leave(watch.channel)
                    watch.set_joined(False)
        except Exception as error:
            if not isinstance(error, StoreUnavailable):
                logger.exception("The feed could not join or leave a channel; it is tried again.")
            self._resync.soon(watch)
        finally:
            watch.settling = False
            if not watch.joined and not watch.members:
                self._watches.pop(watch.channel, None)

    def _on_hint(self, channel: str, replaceable: bool, text: str) -> None:
        if (watch := self._watches.get(channel)) is None:
            return
        if watch.take_hint(text, replaceable=replaceable):
            watch.push_hint(text, replaceable=replaceable)
        else:
            self._resync.soon()

    async def _supervise(self) -> None:
        try:
            for pause_s in make_pauses():
                try:
                    await self._serve()
                except Exception:
                    logger.exception("The hub's feed failed; another one is started.")
                self._resync.soon()
                await asyncio.sleep(pause_s)
        finally:
            self._retire()
            self._reader.close()

    def _retire(self) -> None:
        self.is_stopped = True
        hubs = _hubs.get(asyncio.get_running_loop(), {})
        if hubs.get(self._namespace) is self:
            del hubs[self._namespace]

    async def _serve(self) -> None:
        """One feed, until something fails."""
        self._feed = feed = self.store.open_feed(self._on_hint, self._resync.soon)
        duties = [self._start(duty) for duty in (feed.run(), self._resync.run(), self._sweep_forever())]
        try:
            for watch in list(self._watches.values()):
                self._settle(watch)
            ended, _ = await asyncio.wait(duties, return_when=asyncio.FIRST_COMPLETED)
            task = ended.pop()
            raise RuntimeError("A duty of the hub ended.") from None if task.cancelled() else task.exception()
        finally:
            self._feed = None
            await _end([*duties, *self._settlers])
            for watch in list(self._watches.values()):
                watch.set_joined(False)
                self._settle(watch)
            await _close(feed)

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(max(get_settings().SLOW_SOCKET_S / 4, 0.05))
            now = time.monotonic()
            for outbox in list(self._channels):
                outbox.close_if_slow(now)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.create_task(work, context=self._context.copy())


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _close(feed: Feed) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await feed.close()
    except Exception:
        logger.debug("A feed could not be closed.", exc_info=True)
