"""What the hub knows of one channel: who watches it, and what all of them have been sent."""

from __future__ import annotations

import asyncio
import json
import re

from channels_progress.consumers.outbox import Outbox
from channels_progress.consumers.sources import Reading, Sight, Since
from channels_progress.records import Liveness

# The head of a hint, whose order of fields is part of the store's contract. Scanning it costs less than a
# microsecond, parsing the frame many.
_HEAD = re.compile(
    r'\{"type":"tasks?","v":\d+,"channel":"(?:[^"\\]|\\.)*","epoch":"([^"\\]*)"(?:,"attempt":(\d+))?,"seq":(\d+)'
)


class Watch:
    """One channel with its members, in one hub.

    Attributes:
        channel: Its name.
        members: The sockets that watch it.
        joined: The feed delivers its hints.
        in_force: Set while ``joined``.
        settling: A task brings ``joined`` in line with ``members``.
        stale: The next resync reads it, whatever its version: some member may lack something.
        seen: Some member has seen that something is there.
    """

    __slots__ = (
        "_epoch", "_missing_since", "_offset", "_shown", "channel", "in_force", "joined", "members", "seen", "settling",
        "stale",
    )  # fmt: skip

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.members: set[Outbox] = set()
        self.joined = False
        self.in_force = asyncio.Event()
        self.settling = False
        self.stale = False
        self.seen = False
        self._missing_since: float | None = None
        self._epoch = ""
        self._offset = 0
        self._shown: Sight | None = None

    @property
    def since(self) -> Since | None:
        """Up to where every member has had every message."""
        return (self._epoch, self._offset) if self._epoch else None

    @property
    def is_settled(self) -> bool:
        """Whether the feed delivers hints exactly if somebody watches."""
        return self.joined == bool(self.members)

    def set_joined(self, joined: bool) -> None:
        """The feed has joined, or left."""
        self.joined = joined
        if joined:
            self.in_force.set()
        else:
            self.in_force.clear()

    def push(self, text: str) -> None:
        """Send a reading to every member. It never takes the place of a hint, which may be newer."""
        for outbox in self.members:
            outbox.push(text)

    def push_hint(self, text: str, *, replaceable: bool) -> None:
        """Send a hint to every member, in the place of older ones that still wait."""
        for outbox in self.members:
            outbox.push(text, channel=self.channel, replaceable=replaceable)

    def take_hint(self, text: str, *, replaceable: bool) -> bool:
        """Take note of a hint; False where it must not be sent, being of another epoch: only a reading opens one."""
        head = _HEAD.match(text)
        if head is None:
            self.stale = True
            return True
        epoch, attempt, seq = head[1], int(head[2] or 0), int(head[3])
        if self._epoch and epoch != self._epoch:
            self.stale = True
            return False
        self._epoch = epoch
        # A hint says "live" for a task that runs.
        self._show(Sight(epoch, attempt, seq, Liveness.LIVE))
        if not replaceable:
            self._take_messages(text)
        return True

    def take_reading(self, reading: Reading) -> None:
        """Every member has been sent this reading."""
        if reading.sight.epoch != self._epoch:
            self._epoch, self._offset, self._shown = reading.sight.epoch, 0, None
        self._offset = max(self._offset, reading.offset)
        self._show(reading.sight)

    def take_reading_of_one(self, reading: Reading) -> bool:
        """One member has been sent this reading. Where others lack it, the next resync sends it to them.

        False where a newer hint has overtaken it: a page that did not know the epoch has left that one alone, and
        needs another reading.
        """
        if self._is_ahead_of(reading.sight):
            # The hint's messages are not there, either.
            self._offset = 0
            return False
        if len(self.members) == 1:
            self.take_reading(reading)
        elif self.differs_from(reading.sight) or reading.sight != self._shown:
            self.stale = True
        return True

    def _is_ahead_of(self, sight: Sight) -> bool:
        shown = self._shown
        if shown is None or sight.epoch != shown.epoch:
            return shown is not None
        return (shown.attempt, shown.seq) > (sight.attempt, sight.seq)

    def differs_from(self, sight: Sight) -> bool:
        """Whether a page that shows what all have been sent lacks what the store has."""
        shown = self._shown
        if shown is None or sight.epoch != shown.epoch:
            return True
        if (sight.attempt, sight.seq) != (shown.attempt, shown.seq):
            return (sight.attempt, sight.seq) > (shown.attempt, shown.seq)
        return (sight.liveness or Liveness.LIVE) != (shown.liveness or Liveness.LIVE)

    def miss(self, now: float) -> float | None:
        """Take note that nothing is there; for how many seconds not, or None where nobody has seen it.

        ``now`` is ``time.monotonic()``.
        """
        if not self.seen:
            return None
        if self._missing_since is None:
            self._missing_since = now
        # The same one may come back, from a copy of the store: members have been told that it is gone.
        self._shown = None
        return now - self._missing_since

    def _show(self, sight: Sight) -> None:
        self.seen = True
        self._missing_since = None
        shown = self._shown
        if shown is None or (sight.attempt, sight.seq) >= (shown.attempt, shown.seq):
            self._shown = sight

    def _take_messages(self, text: str) -> None:
        offsets = [message["offset"] for message in json.loads(text)["messages"]]
        if offsets and offsets[0] > self._offset + 1:
            self.stale = True
        elif offsets:
            self._offset = max(self._offset, offsets[-1])
