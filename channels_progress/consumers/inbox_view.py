"""One socket's view of an inbox: answers what the page asks for, and sends it again whenever the inbox has changed.

A view is *settled*, or a task of its own reads: first what was asked for, in order, then once more where the inbox has
changed meanwhile. The filter and the page asked for last stay. What comes while it reads is seen by the next reading;
changes that come faster than ``PAUSE_S`` share one. A reading that shows nothing new is not sent.

A change is heard of by the audience hub, and where that fails by the watch (``inbox_watch``), which asks the database.
A page that is no longer there, as items were removed, gives way to the last one.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import copy_context
from importlib import import_module
from typing import TYPE_CHECKING, Any

from channels.db import database_sync_to_async

from channels_progress.conf import get_settings
from channels_progress.consumers.audience_hub import AudienceHub, get_audience_hub
from channels_progress.consumers.inbox_watch import InboxWatch, get_inbox_watch
from channels_progress.consumers.outbox import Outbox
from channels_progress.exceptions import InboxRequestRefused

if TYPE_CHECKING:
    from channels_progress.notifications.frames import InboxReading
    from channels_progress.notifications.pages import Version

#: No two live readings of one view within this time: a burst of changes is seen at its beginning and at its end.
PAUSE_S = 0.1
#: Requests of one page that may wait; more drop the oldest.
MAX_WAITING = 8
#: Where many views are told at once each takes its turn, at this pace, and none later than so.
TURN_S = 0.01
LONGEST_TURN_S = 5.0


class InboxView:
    """What one socket shows of its viewer's inbox.

    Attributes:
        owner: Whose inbox it is, as its rows say.
        version: How new the inbox was at the last reading; None before the first.
        page_id: For the hub: changes are told to every page.
    """

    __slots__ = (
        "_asked",
        "_channel",
        "_context",
        "_head",
        "_hub",
        "_is_closed",
        "_is_stale",
        "_outbox",
        "_read_at",
        "_refuse",
        "_task",
        "_text",
        "_timer",
        "_user",
        "_wanted",
        "_watch",
        "owner",
        "page_id",
        "version",
    )

    def __init__(self, outbox: Outbox, user: Any, head: Mapping[str, Any], refuse: Callable[[str, str], str]) -> None:
        """``head`` is what an answer begins with, ``refuse`` makes the text of one from a field and a reason."""
        people = import_module("channels_progress.notifications.people")
        self._outbox = outbox
        self._user = user
        self._head = head
        self._refuse = refuse
        self._channel: str = people.name_inbox_channel(user.pk)
        # Of the page: the namespace, or what shows people, may depend on it.
        self._context = copy_context()
        self._asked: deque[Mapping[str, Any]] = deque(maxlen=MAX_WAITING)
        self._wanted: Mapping[str, Any] | None = None
        self._text = ""
        self._is_stale = self._is_closed = False
        self._read_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._hub: AudienceHub | None = None
        self._watch: InboxWatch | None = None
        self.owner: str = people.find_owner(user)
        self.version: Version | None = None
        self.page_id = ""

    def ask(self, wanted: Mapping[str, Any]) -> None:
        """Answer with this: ``page``, ``page_size`` and ``is_read``, of whatever kind they are."""
        self._asked.append(wanted)
        self._work_soon()

    def hear(self, envelope: Mapping[str, Any]) -> None:
        """Something has changed."""
        self.catch_up_soon(among=envelope.get("among", 1))

    skip = hear

    def catch_up_soon(self, *, among: int = 1) -> None:
        """Read again; ``among`` is how many views of this process do so at the same time."""
        now = asyncio.get_running_loop().time()
        turn_s = min(among * TURN_S, LONGEST_TURN_S) * random.random() if among > 1 else 0.0  # noqa: S311  no secret
        self._read_by(max(now + turn_s, self._read_at + PAUSE_S))

    def close(self) -> None:
        """The page no longer shows it."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._hub is not None:
            self._hub.detach(self)
        if self._watch is not None:
            self._watch.detach(self)

    def _read_by(self, moment: float) -> None:
        if self._is_closed or (self._timer is not None and self._timer.when() <= moment):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(moment, self._fall_due)

    def _fall_due(self) -> None:
        self._timer = None
        self._is_stale = True
        self._work_soon()

    def _work_soon(self) -> None:
        if self._task is None and not self._is_closed:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._work(), context=self._context)

    async def _work(self) -> None:
        try:
            await self._listen()
            if self._wanted is not None and not self._asked:
                await self._refresh(self._wanted)
            while self._asked:
                await self._answer(self._asked[0])
        except Exception as error:
            self._try_again(error)
        finally:
            self._task = None
        if self._is_stale and self._wanted is not None:
            self.catch_up_soon()

    async def _listen(self) -> None:
        """First of all: a change between the first reading and the join would be heard of by nobody."""
        if self._hub is None:
            self._watch = get_inbox_watch()
            self._watch.attach(self)
            self._hub = get_audience_hub()
            await self._hub.join(self, [self._channel])

    async def _refresh(self, wanted: Mapping[str, Any]) -> None:
        reading = await self._read("read_inbox_again", wanted)
        if reading.text != self._text:
            self._outbox.push(reading.text, channel=self._channel, replaceable=True)
        self._note(reading, wanted)

    async def _answer(self, wanted: Mapping[str, Any]) -> None:
        try:
            reading = await self._read("read_inbox", wanted)
        except InboxRequestRefused as refusal:
            self._drop(wanted)
            self._outbox.push(self._refuse(refusal.field, refusal.reason))
            return
        self._drop(wanted)
        self._outbox.push(reading.text)
        self._note(reading, wanted)

    def _note(self, reading: InboxReading, wanted: Mapping[str, Any]) -> None:
        self._text, self.version = reading.text, reading.version
        self._wanted = {**wanted, "page": reading.page}

    def _drop(self, answered: Mapping[str, Any]) -> None:
        # Others may have taken its place while it was read.
        if self._asked and self._asked[0] is answered:
            self._asked.popleft()

    async def _read(self, function: str, wanted: Mapping[str, Any]) -> InboxReading:
        read = getattr(import_module("channels_progress.notifications.frames"), function)
        # Before: what changes meanwhile is read once more.
        self._is_stale = False
        reading: InboxReading = await database_sync_to_async(read)(self._user, wanted, self._head)
        self._read_at = asyncio.get_running_loop().time()
        if self._watch is not None:
            self._watch.note_success()
        return reading

    def _try_again(self, error: Exception) -> None:
        if self._watch is not None:
            self._watch.note_failure(error)
        pause_s = get_settings().RESYNC_S * random.uniform(0.5, 1.5)  # noqa: S311  no secret
        self._read_by(asyncio.get_running_loop().time() + pause_s)
