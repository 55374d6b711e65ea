"""Feeds broadcasts to the sockets of one event loop: one channel of the layer, however many sockets.

Of an **audience hub** there is one per event loop and namespace, made for the first socket that listens and gone with
the last one, so that a process without listeners joins nothing.

A **channel** has members (the sockets that want it), and is joined or not; that of crowds (``transport.crowds``) is
joined while there is any socket. At most one task per channel brings the two in line, step by step, and looks again
after each step: a join that meets a leave under way waits for it. A channel that the layer would not join is *refused*,
and tried again until it is joined, or nobody wants it.

What is lost while the layer is away is lost, unless it was stored: after a gap every listener catches up, and so do
those of a channel that is joined late, or of which something stored did not come (``stored``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Coroutine, Iterable, Mapping
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from channels_progress.conf import get_namespace, get_settings, make_pinned_context
from channels_progress.consumers.resync import make_pauses
from channels_progress.consumers.stored import StoredWatch
from channels_progress.exceptions import StoreUnavailable
from channels_progress.store.layer_feed import LayerFeed
from channels_progress.transport import CROWD_CHANNEL, open_crowd

logger = logging.getLogger("channels_progress")

_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, AudienceHub]] = WeakKeyDictionary()


class Member(Protocol):
    """Whatever listens for one socket.

    Attributes:
        page_id: The page behind it, or an empty string.
    """

    page_id: str

    def hear(self, envelope: Mapping[str, Any]) -> None:
        """Take what came for one of its channels."""

    def skip(self, envelope: Mapping[str, Any]) -> None:
        """This came for one of its channels, but not for its page."""

    def catch_up_soon(self) -> None:
        """Something may have been lost."""


def get_audience_hub() -> AudienceHub:
    """The audience hub of the running event loop for the namespace in force."""
    hubs = _hubs.setdefault(asyncio.get_running_loop(), {})
    namespace = get_namespace()
    if namespace not in hubs:
        hubs[namespace] = AudienceHub(namespace)
    return hubs[namespace]


class AudienceHub:
    """Hands what comes over the channel layer to the sockets that listen."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._context = make_pinned_context(namespace)
        self._feed = LayerFeed(self._on_envelope, self._on_gap)
        self._listeners: dict[Member, set[str]] = {}
        self._members: dict[str, set[Member]] = {}
        self._joined: set[str] = set()
        self._refused: set[str] = set()
        self._settling: dict[str, asyncio.Task[None]] = {}
        self._mending: asyncio.Task[None] | None = None
        self._stored = StoredWatch(self._on_missed)
        self._running: list[asyncio.Task[None]] = []

    def get_channels(self, listener: Member) -> frozenset[str]:
        """What this socket listens to."""
        return frozenset(self._listeners.get(listener, ()))

    async def join(self, listener: Member, channels: Iterable[str]) -> None:
        """Return once events of these channels come in, or after ``STORE_TIMEOUT_S``."""
        channels = list(channels)
        if not self._running:
            self._running = [self._start(self._feed.run()), self._start(self._stored.run())]
            self._members[CROWD_CHANNEL] = set()
            self._settle(CROWD_CHANNEL)
        self._listeners.setdefault(listener, set()).update(channels)
        for channel in channels:
            self._members.setdefault(channel, set()).add(listener)
            self._settle(channel)
        awaited = [CROWD_CHANNEL, *channels]
        if settling := [self._settling[channel] for channel in awaited if channel in self._settling]:
            await asyncio.wait(settling, timeout=get_settings().STORE_TIMEOUT_S)

    def leave(self, listener: Member, channel: str) -> None:
        """Stop listening to a channel; one that is not listened to is ignored."""
        if channel in self._listeners.get(listener, ()):
            self._listeners[listener].discard(channel)
            self._drop(listener, channel)

    def detach(self, listener: Member) -> None:
        """The socket is gone."""
        for channel in self._listeners.pop(listener, ()):
            self._drop(listener, channel)
        if not self._listeners:
            self._retire()

    def _drop(self, listener: Member, channel: str) -> None:
        members = self._members[channel]
        members.discard(listener)
        if not members:
            del self._members[channel]
            self._settle(channel)

    def _settle(self, channel: str) -> None:
        """See to it that the feed has joined the channel exactly if it has members."""
        if channel not in self._settling and not self._is_settled(channel):
            self._settling[channel] = self._start(self._step(channel))

    def _is_settled(self, channel: str) -> bool:
        return (channel in self._members) == (channel in self._joined)

    async def _step(self, channel: str) -> None:
        try:
            while not self._is_settled(channel):
                if channel in self._members:
                    # Whether or not the layer answers: the feed knows of it, and has to be told to leave.
                    self._joined.add(channel)
                    await self._join(channel)
                else:
                    self._joined.discard(channel)
                    self._refused.discard(channel)
                    await self._feed.leave(channel)
        finally:
            # At once: whoever changes the members next has to start another one.
            del self._settling[channel]

    async def _join(self, channel: str) -> None:
        try:
            await self._feed.join(channel)
        except StoreUnavailable:
            self._refused.add(channel)
            if self._mending is None:
                self._mending = self._start(self._mend())

    async def _mend(self) -> None:
        """Try again with what was refused: a layer may be back without the feed having noticed that it was away."""
        try:
            for pause_s in make_pauses():
                await asyncio.sleep(pause_s)
                await self._retry()
                if not self._refused:
                    return
        finally:
            self._mending = None

    async def _retry(self) -> None:
        for channel in self._refused - self._settling.keys():
            # It may have been left, and be wanted again, since the one before was tried.
            if channel not in self._refused or channel in self._settling:
                continue
            self._refused.discard(channel)
            self._joined.discard(channel)
            self._settle(channel)
            await asyncio.wait([self._settling[channel]])
            if channel in self._refused:
                return
            self._on_missed([channel])

    def _on_envelope(self, envelope: dict[str, Any]) -> None:
        if "keys" in envelope:
            for one in open_crowd(envelope, self._members):
                self._on_envelope(one)
            return
        channel, exclude = envelope["key"], envelope.get("exclude")
        if number := envelope.get("id"):
            self._stored.note(number)
        for listener in tuple(self._members.get(channel, ())):
            if exclude and listener.page_id == exclude:
                listener.skip(envelope)
            else:
                listener.hear(envelope)

    def _on_gap(self) -> None:
        for listener in tuple(self._listeners):
            listener.catch_up_soon()

    def _on_missed(self, channels: Collection[str]) -> None:
        if CROWD_CHANNEL in channels:
            self._on_gap()
            return
        for channel in channels:
            for listener in tuple(self._members.get(channel, ())):
                listener.catch_up_soon()

    def _retire(self) -> None:
        """The last listener has gone: another hub serves the next one."""
        hubs = _hubs.get(asyncio.get_running_loop(), {})
        if hubs.get(self._namespace) is self:
            del hubs[self._namespace]
        self._members.pop(CROWD_CHANNEL, None)
        self._settle(CROWD_CHANNEL)
        self._start(self._end())

    async def _end(self) -> None:
        if self._settling:
            await asyncio.wait(list(self._settling.values()))
        running = [*self._running, self._mending] if self._mending else self._running
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._feed.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, context=self._context.copy())
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        return task


#: An event loop keeps its tasks weakly.
_tasks: set[asyncio.Task[None]] = set()
