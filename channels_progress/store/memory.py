"""A store inside this process, for tests and eager mode: nothing of it is seen by another process."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from channels_progress.conf import get_namespace, get_settings
from channels_progress.events import encode_json, task_channel, task_frame
from channels_progress.records import (
    ENDED_STATES,
    Begun,
    CancelOutcome,
    Liveness,
    Message,
    Snapshot,
    Stamp,
    TaskState,
    Version,
    Written,
)
from channels_progress.store.contract import OnHint
from channels_progress.store.rules import Batch, Entry, Since, check_finished, find_start, parse_body

#: Expired records are swept at most this often.
SWEEP_S = 60.0
#: What tells records apart: the namespace and the uid (for feeds, and the channel).
Key = tuple[str, str]


class MemoryStore:
    """Keeps records in a dict, under a lock, by the rules all stores share.

    Args:
        clock: Seconds since 1970; another one makes records expire in a test.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._kept: dict[Key, _Kept] = {}
        self._feeds: list[MemoryFeed] = []
        self._sweep_at = 0.0

    @property
    def available(self) -> bool:
        """Always true."""
        return True

    def create(self, uid: str, *, owner: str, body: str, parent: str = "", inside: bool = False) -> None:
        """See ``Store.create``."""
        fresh = self._make_entry(owner, body, parent)
        with self._lock:
            entry = self._find(uid)
            if entry and (inside or not entry.latched):
                entry.republished = True
                if not entry.latched:
                    self._renew(uid)
                return
            if entry:
                fresh.seen = entry.seen
            with self._changing(uid, fresh):
                fresh.seq += 1

    def begin(self, uid: str, *, delivery: str, owner: str, body: str, parent: str = "") -> Begun:
        """See ``Store.begin``."""
        fresh = self._make_entry(owner, body, parent)
        with self._lock:
            entry = self._find(uid) or fresh
            with self._changing(uid, entry):
                return entry.begin(delivery, fresh.body, self._now())

    def write(
        self, stamp: Stamp, *, body: str, messages: Sequence[Message] = (), skipped: int = 0, numbered_from: int = 0
    ) -> Written:
        """See ``Store.write``."""
        content, batch = parse_body(body), self._fit(messages, skipped, numbered_from)
        with self._lock:
            if not (entry := self._find(stamp.uid)):
                return Written(False, missing=True)
            with self._changing(stamp.uid, entry):
                return entry.write(stamp, content, batch, self._now())

    def finish(
        self,
        uid: str,
        state: TaskState,
        *,
        delivery: str = "",
        owner: str = "",
        body: str | None = None,
        reason: str = "",
        retry_at: int = 0,
        messages: Sequence[Message] = (),
        skipped: int = 0,
        numbered_from: int = 0,
    ) -> Written:
        """See ``Store.finish``."""
        state = check_finished(state)
        content = None if body is None else parse_body(body)
        batch = self._fit(messages, skipped, numbered_from)
        with self._lock:
            entry = self._find(uid)
            if not entry and state not in ENDED_STATES:
                return Written(False, missing=True)
            entry = entry or self._make_entry(owner, "{}", "")
            with self._changing(uid, entry):
                return entry.finish(
                    state, delivery, self._now(), body=content, reason=reason, retry_at=retry_at, batch=batch
                )

    def heartbeat(self, stamps: Sequence[Stamp]) -> list[Written]:
        """See ``Store.heartbeat``."""
        with self._lock:
            return [self._beat(stamp) for stamp in stamps]

    def _beat(self, stamp: Stamp) -> Written:
        if not (entry := self._find(stamp.uid)):
            return Written(False, missing=True)
        written = entry.beat(stamp, self._now())
        if written.accepted:
            self._renew(stamp.uid)
        return written

    def read(self, uid: str, *, since: Since = None) -> Snapshot | None:
        """See ``Store.read``."""
        with self._lock:
            entry = self._find(uid)
            return _snapshot(uid, entry, since, self._now()) if entry else None

    def versions(self, uids: Sequence[str]) -> list[Version | None]:
        """See ``Store.versions``."""
        with self._lock:
            now = self._now()
            return [entry.as_version(now) if entry else None for entry in map(self._find, uids)]

    def request_cancel(self, uid: str, *, reason: str = "") -> CancelOutcome:
        """See ``Store.request_cancel``."""
        with self._lock:
            if not (entry := self._find(uid)):
                return CancelOutcome.UNKNOWN
            with self._changing(uid, entry):
                return entry.request_cancel(reason, self._now())

    def open_feed(self, on_hint: OnHint, on_gap: Callable[[], None]) -> MemoryFeed:
        """See ``Store.open_feed``. No hint is ever lost here, so ``on_gap`` is never called."""
        feed = MemoryFeed(on_hint, self._feeds.remove)
        self._feeds.append(feed)
        return feed

    def close(self) -> None:
        """There is nothing to release."""

    def _make_entry(self, owner: str, body: str, parent: str) -> Entry:
        return Entry(
            epoch=secrets.token_hex(8), owner=owner, parent=parent, body=parse_body(body), created_at=self._now()
        )

    def _fit(self, messages: Sequence[Message], skipped: int, numbered_from: int) -> Batch:
        return Batch(messages, skipped, numbered_from).fit(get_settings().MESSAGES_KEPT)

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _find(self, uid: str) -> Entry | None:
        kept = self._kept.get((get_namespace(), uid))
        return kept.entry if kept and kept.expires_at > self._clock() else None

    @contextmanager
    def _changing(self, uid: str, entry: Entry) -> Iterator[None]:
        """Keep and announce ``entry`` where the block changed it."""
        seq, offset = entry.seq, entry.offset
        yield
        if entry.seq == seq:
            return
        while len(entry.messages) > get_settings().MESSAGES_KEPT:
            entry.messages.popleft()
        self._kept[get_namespace(), uid] = _Kept(entry)
        self._renew(uid)
        self._sweep()
        self._announce(uid, entry, offset)

    def _renew(self, uid: str) -> None:
        self._kept[get_namespace(), uid].expires_at = self._clock() + get_settings().RECORD_TTL_S

    def _sweep(self) -> None:
        if (now := self._clock()) >= self._sweep_at:
            self._sweep_at = now + SWEEP_S
            self._kept = {key: kept for key, kept in self._kept.items() if kept.expires_at > now}

    def _announce(self, uid: str, entry: Entry, offset: int) -> None:
        snapshot = _snapshot(uid, entry, (entry.epoch, offset), self._now())
        text = encode_json(task_frame(snapshot, Liveness.LIVE if entry.running else None))
        for feed in list(self._feeds):
            feed.announce((get_namespace(), task_channel(uid)), not snapshot.messages, text)


@dataclass(slots=True)
class _Kept:
    entry: Entry
    expires_at: float = field(default=0.0)


def _snapshot(uid: str, entry: Entry, since: Since, now: int) -> Snapshot:
    start, known = find_start(since, entry.epoch, entry.offset)
    messages = tuple(message for message in entry.messages if message.offset > start)
    return Snapshot(entry.as_record(uid), messages, known and len(messages) == entry.offset - start, now)


class MemoryFeed:
    """Hints of a memory store, carried into the event loop that opened it."""

    def __init__(self, on_hint: OnHint, forget: Callable[[MemoryFeed], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_hint = on_hint
        self._forget = forget
        self._joined: dict[str, Key] = {}

    def announce(self, key: Key, replaceable: bool, text: str) -> None:
        """Hand a hint over from whatever thread wrote."""
        if self._joined.get(key[1]) == key:
            try:
                self._loop.call_soon_threadsafe(self._deliver, key, replaceable, text)
            except RuntimeError:  # the loop was closed without closing its feed
                self._leave_store()

    def _deliver(self, key: Key, replaceable: bool, text: str) -> None:
        if self._joined.get(key[1]) == key:
            self._on_hint(key[1], replaceable, text)

    async def join(self, channel: str) -> None:
        """See ``Feed.join``."""
        self._joined[channel] = (get_namespace(), channel)

    async def leave(self, channel: str) -> None:
        """See ``Feed.leave``."""
        self._joined.pop(channel, None)

    async def run(self) -> None:
        """Wait until cancelled: the writers deliver."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Forget what was joined."""
        self._joined.clear()
        self._leave_store()

    def _leave_store(self) -> None:
        with suppress(ValueError):
            self._forget(self)
