"""A store inside this process, for tests and eager mode: nothing of it is seen by another process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from channels_progress.conf import get_namespace, get_settings
from channels_progress.events import LIST_CHANNEL_PREFIX, encode_json, list_frame, task_channel, task_frame
from channels_progress.records import (
    ENDED_STATES,
    RUNNING_STATES,
    Begun,
    CancelOutcome,
    Listing,
    ListVersion,
    Liveness,
    Message,
    SilentTask,
    Snapshot,
    Stamp,
    TaskState,
    Version,
    Written,
    list_id,
)
from channels_progress.store.contract import OnHint
from channels_progress.store.expiring import ExpiringValues
from channels_progress.store.lists import EVERYBODY, LIFETIMES, TaskList, arrange, is_on
from channels_progress.store.memory_feed import MemoryFeed
from channels_progress.store.rules import (
    Batch,
    Entry,
    Since,
    check_finished,
    make_entry,
    parse_body,
    pick_silent,
    take_snapshot,
)


class MemoryStore:
    """Keeps records in a dict, under a lock, by the rules all stores share.

    Args:
        clock: Seconds since 1970; another one makes records expire in a test.
    """

    write_interval_s = 0.0

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        # By namespace and uid, and by namespace and list id.
        self._kept = ExpiringValues[tuple[str, str], Entry](clock)
        self._lists = ExpiringValues[tuple[str, str], TaskList](clock)
        self._feeds: list[MemoryFeed] = []

    @property
    def available(self) -> bool:
        """Always true."""
        return True

    @property
    def resync_s(self) -> float:
        """See ``Store.resync_s``."""
        return get_settings().RESYNC_S

    def create(
        self, uid: str, *, owner: str, body: str, parent: str = "", inside: bool = False, name: str = ""
    ) -> None:
        """See ``Store.create``."""
        content = parse_body(body)
        with self._lock:
            entry = self._find(uid)
            if entry and (inside or not entry.latched):
                entry.republished = True
                if not entry.latched:
                    self._renew(uid, entry)
            else:
                former, entry = entry, make_entry(owner, content, self._now(), parent=parent, name=name)
                if former:
                    entry.deliveries = former.deliveries
                with self._changing(uid, entry):
                    entry.seq += 1
            self._enlist(uid, entry)

    def begin(
        self,
        uid: str,
        *,
        delivery: str,
        owner: str,
        body: str,
        parent: str = "",
        name: str = "",
        worker: str = "",
    ) -> Begun:
        """See ``Store.begin``."""
        content = parse_body(body)
        with self._lock:
            entry = self._find(uid) or make_entry(owner, content, self._now(), parent=parent)
            with self._changing(uid, entry):
                begun = entry.begin(delivery, content, self._now(), name=name, worker=worker)
            self._enlist(uid, entry)
            return begun

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
        name: str = "",
        worker: str = "",
        begun: bool = False,
    ) -> Written:
        """See ``Store.finish``."""
        state = check_finished(state)
        content = None if body is None else parse_body(body)
        batch = self._fit(messages, skipped, numbered_from)
        with self._lock:
            known = self._find(uid)
            if not known and (begun or state not in ENDED_STATES):
                return Written(False, missing=True)
            entry = known or make_entry(owner, {}, self._now(), name=name, worker=worker)
            # Not read from the clock again, which may have been set back.
            now = self._now() if known else entry.created_at
            with self._changing(uid, entry):
                written = entry.finish(
                    state, delivery, now, body=content, reason=reason, retry_at=retry_at, batch=batch
                )
            if not known:
                self._enlist(uid, entry)
            return written

    def heartbeat(self, stamps: Sequence[Stamp]) -> list[Written]:
        """See ``Store.heartbeat``."""
        with self._lock:
            return [self._beat(stamp) for stamp in stamps]

    def _beat(self, stamp: Stamp) -> Written:
        if not (entry := self._find(stamp.uid)):
            return Written(False, missing=True)
        written = entry.beat(stamp, self._now())
        if written.accepted:
            self._renew(stamp.uid, entry)
        return written

    def read(self, uid: str, *, since: Since = None) -> Snapshot | None:
        """See ``Store.read``."""
        with self._lock:
            entry = self._find(uid)
            return take_snapshot(uid, entry, since, self._now()) if entry else None

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

    def list_for(self, owner: str | None, *, limit: int = 50) -> Listing:
        """See ``Store.list_for``."""
        with self._lock:
            tasks = self._find_list(EVERYBODY if owner is None else list_id(owner))
            if not tasks:
                return Listing((), ListVersion(), self._now())
            entries = {uid: self._find(uid) for uid in reversed(tasks.notes)}
            records = [entry.as_record(uid) for uid, entry in entries.items() if entry]
            listed = [record for record in records if is_on(record, owner)]
            for uid in entries.keys() - {record.uid for record in listed}:
                tasks.drop(uid)
            return Listing(arrange(listed, owner, limit), tasks.version, self._now())

    def list_versions(self, list_ids: Sequence[str]) -> list[ListVersion | None]:
        """See ``Store.list_versions``."""
        with self._lock:
            return [tasks.version if tasks else None for tasks in map(self._find_list, list_ids)]

    def mark(self, uid: str, *, seen: bool = False, dismissed: bool = False, epoch: str = "") -> bool:
        """See ``Store.mark``."""
        with self._lock:
            entry = self._find(uid)
            if not entry or not entry.latched or epoch not in ("", entry.epoch):
                return False
            is_new = entry.mark(seen=seen, dismissed=dismissed)
            if entry.owner and (is_new or self._find_list(list_id(entry.owner))):
                name = list_id(entry.owner)
                if self._open_list(name).mark(uid, entry.note, is_new=is_new):
                    self._announce_list(name)
            return is_new

    def find_silent(
        self, *, older_than_s: float, limit: int = 100, states: Collection[TaskState] = RUNNING_STATES
    ) -> list[SilentTask]:
        """See ``Store.find_silent``."""
        wanted = set(states) - ENDED_STATES
        with self._lock:
            now, space = self._now(), get_namespace()
            found = [
                entry.as_silent(uid, now)
                for (namespace, uid), entry in self._kept.items()
                if namespace == space and entry.state in wanted
            ]
        return pick_silent(found, older_than_s, limit)

    def purge(self, *, limit: int = 1_000) -> int:
        """See ``Store.purge``. Lists that have expired go with the first call."""
        with self._lock:
            self._lists.sweep()
            return self._kept.sweep(limit)

    def open_feed(self, on_hint: OnHint, on_gap: Callable[[], None]) -> MemoryFeed:
        """See ``Store.open_feed``. No hint is ever lost here, so ``on_gap`` is never called."""
        feed = MemoryFeed(on_hint, self._feeds.remove)
        self._feeds.append(feed)
        return feed

    def close(self) -> None:
        """There is nothing to release."""

    def _fit(self, messages: Sequence[Message], skipped: int, numbered_from: int) -> Batch:
        return Batch(messages, skipped, numbered_from).fit(get_settings().MESSAGES_KEPT)

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _find(self, uid: str) -> Entry | None:
        return self._kept.get((get_namespace(), uid))

    @contextmanager
    def _changing(self, uid: str, entry: Entry) -> Iterator[None]:
        """Keep and announce ``entry`` where the block changed it."""
        seq, offset = entry.seq, entry.offset
        yield
        if entry.seq == seq:
            return
        while len(entry.messages) > get_settings().MESSAGES_KEPT:
            entry.messages.popleft()
        self._renew(uid, entry)
        self._announce_task(uid, entry, offset)

    def _renew(self, uid: str, entry: Entry) -> None:
        now = self._now()
        wait_s = (entry.find_due(now) - now) / 1000
        self._kept.keep((get_namespace(), uid), entry, get_settings().RECORD_TTL_S + wait_s)

    def _announce_task(self, uid: str, entry: Entry, offset: int) -> None:
        snapshot = take_snapshot(uid, entry, (entry.epoch, offset), self._now())
        text = encode_json(task_frame(snapshot, Liveness.LIVE if entry.running else None))
        self._announce(task_channel(uid), not snapshot.messages, text)

    def _announce(self, channel: str, replaceable: bool, text: str) -> None:
        for feed in list(self._feeds):
            feed.announce((get_namespace(), channel), replaceable, text)

    def _find_list(self, name: str) -> TaskList | None:
        return self._lists.get((get_namespace(), name))

    def _enlist(self, uid: str, entry: Entry) -> None:
        settings = get_settings()
        self._open_list(EVERYBODY).note(uid, entry.note, settings.LISTED_FOR_STAFF)
        if not entry.owner:
            return
        name = list_id(entry.owner)
        if self._open_list(name).note(uid, entry.note, settings.LISTED_PER_PERSON):
            self._announce_list(name)

    def _open_list(self, name: str) -> TaskList:
        """The list, made if need be, and kept from now on."""
        tasks = self._find_list(name) or TaskList()
        self._lists.keep((get_namespace(), name), tasks, LIFETIMES * get_settings().RECORD_TTL_S)
        return tasks

    def _announce_list(self, name: str) -> None:
        if tasks := self._find_list(name):
            channel = LIST_CHANNEL_PREFIX + name
            self._announce(channel, True, encode_json(list_frame(channel, tasks.version, self._now())))
