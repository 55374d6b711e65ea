"""The store in a database that Django has: PostgreSQL, MariaDB, MySQL, SQLite.

Records are rows, changed by the shared rules (:mod:`channels_progress.store.rules`); hints go over the channel layer,
where there is one that other processes hear, else to the pages of this process only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, TypeVar

from channels_progress.conf import get_namespace, get_settings
from channels_progress.events import encode_json, list_channel, list_frame, task_channel, task_frame
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
from channels_progress.spaces import find_space, make_key
from channels_progress.store.breaker import CircuitBreaker
from channels_progress.store.contract import Feed, OnHint
from channels_progress.store.database_changes import Change, Changes, Decide
from channels_progress.store.database_rows import find_place
from channels_progress.store.database_tables import Tables
from channels_progress.store.database_threads import ConnectionThreads
from channels_progress.store.hints import Announcer, make_announcer
from channels_progress.store.lists import arrange
from channels_progress.store.rules import Batch, Entry, Since, check_finished, make_entry, parse_body

#: A bar is written at most once in this time: a row costs more than a Redis call, and each leaves an old version.
WRITE_INTERVAL_S = 0.5
#: What has expired is removed by a process that creates records, at most this often, so many at once.
SWEEP_S = 60.0
SWEPT_AT_ONCE = 200

Answer = TypeVar("Answer")


class DatabaseStore:
    """Keeps records in a database of ``DATABASES``, on connections of its own.

    Args:
        alias: Its name there.
        breaker: Another one only in tests.
    """

    write_interval_s = WRITE_INTERVAL_S

    def __init__(self, alias: str, *, breaker: CircuitBreaker | None = None) -> None:
        self.alias = alias
        self._breaker = breaker or CircuitBreaker()
        self._tables = Tables(alias)
        self._changes = Changes(self._tables)
        self._threads = ConnectionThreads(alias, self._tables.explain)
        self._announcer: Announcer = make_announcer()
        self._sweep_at = time.monotonic() + SWEEP_S

    @property
    def available(self) -> bool:
        """See ``Store.available``."""
        return self._breaker.closed

    @property
    def resync_s(self) -> float:
        """See ``Store.resync_s``."""
        settings = get_settings()
        return (
            settings.RESYNC_S if self._announcer.is_shared else min(settings.RESYNC_S, settings.RESYNC_WITHOUT_HINTS_S)
        )

    def create(
        self, uid: str, *, owner: str, body: str, parent: str = "", inside: bool = False, name: str = ""
    ) -> None:
        """See ``Store.create``."""
        content = parse_body(body)

        def decide(known: Entry | None, now: int) -> tuple[Entry, None]:
            if known and (inside or not known.latched):
                known.republished = True
                return known, None
            entry = make_entry(owner, content, now, parent=parent, name=name)
            entry.seq = 1
            if known:
                entry.deliveries = known.deliveries
            return entry, None

        self._change(uid, decide, renews=True)
        self._sweep()

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

        def decide(known: Entry | None, now: int) -> tuple[Entry, Begun]:
            entry = known or make_entry(owner, content, now, parent=parent)
            return entry, entry.begin(delivery, content, now, name=name, worker=worker)

        return self._change(uid, decide, renews_list=True)

    def write(
        self, stamp: Stamp, *, body: str, messages: Sequence[Message] = (), skipped: int = 0, numbered_from: int = 0
    ) -> Written:
        """See ``Store.write``."""
        content, batch = parse_body(body), _fit(messages, skipped, numbered_from)

        def decide(known: Entry | None, now: int) -> tuple[Entry | None, Written]:
            written = known.write(stamp, content, batch, now) if known else Written(False, missing=True)
            return known, written

        return self._change(stamp.uid, decide)

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
        batch = _fit(messages, skipped, numbered_from)

        def decide(known: Entry | None, now: int) -> tuple[Entry | None, Written]:
            if not known and (begun or state not in ENDED_STATES):
                return None, Written(False, missing=True)
            entry = known or make_entry(owner, {}, now, name=name, worker=worker)
            return entry, entry.finish(
                state, delivery, now, body=content, reason=reason, retry_at=retry_at, batch=batch
            )

        return self._change(uid, decide)

    def heartbeat(self, stamps: Sequence[Stamp]) -> list[Written]:
        """See ``Store.heartbeat``."""
        places = [(find_place(stamp.uid), stamp) for stamp in stamps]
        return self._ask(partial(self._tables.heartbeat, places)) if places else []

    def read(self, uid: str, *, since: Since = None) -> Snapshot | None:
        """See ``Store.read``."""
        return self._ask(partial(self._tables.read, find_place(uid), since))

    def versions(self, uids: Sequence[str]) -> list[Version | None]:
        """See ``Store.versions``."""
        space = find_space()
        keys = [make_key(space, uid) for uid in uids]
        return self._ask(partial(self._tables.read_versions, keys)) if keys else []

    def request_cancel(self, uid: str, *, reason: str = "") -> CancelOutcome:
        """See ``Store.request_cancel``."""

        def decide(known: Entry | None, now: int) -> tuple[Entry | None, CancelOutcome]:
            return known, known.request_cancel(reason, now) if known else CancelOutcome.UNKNOWN

        return self._change(uid, decide)

    def list_for(self, owner: str | None, *, limit: int = 50) -> Listing:
        """See ``Store.list_for``."""
        settings, space = get_settings(), find_space()
        kept = min(limit, settings.LISTED_FOR_STAFF) if owner is None else settings.LISTED_PER_PERSON
        name = "" if owner is None else list_id(owner)
        version, entries, now = self._ask(partial(self._list, space, name, kept))
        records = [entry.as_record(uid) for uid, entry in entries]
        return Listing(arrange(records, owner, limit), version or ListVersion(), now)

    def _list(self, space: str, name: str, kept: int) -> tuple[ListVersion | None, list[tuple[str, Entry]], int]:
        # The version first: see the races in ``lists``.
        [version] = self._tables.read_lists([make_key(space, name)]) if name else [None]
        return version, self._tables.list_tasks(space, name, kept), self._tables.read_clock()

    def list_versions(self, list_ids: Sequence[str]) -> list[ListVersion | None]:
        """See ``Store.list_versions``."""
        space = find_space()
        keys = [make_key(space, list_id) for list_id in list_ids]
        return self._ask(partial(self._tables.read_lists, keys)) if keys else []

    def mark(self, uid: str, *, seen: bool = False, dismissed: bool = False, epoch: str = "") -> bool:
        """See ``Store.mark``."""

        def decide(known: Entry | None, now: int) -> tuple[Entry | None, bool]:
            if not known or not known.latched or epoch not in ("", known.epoch):
                return None, False
            return known, known.mark(seen=seen, dismissed=dismissed)

        return self._change(uid, decide)

    def find_silent(
        self, *, older_than_s: float, limit: int = 100, states: Collection[TaskState] = RUNNING_STATES
    ) -> list[SilentTask]:
        """See ``Store.find_silent``. All tasks are looked at."""
        wanted = set(states) - ENDED_STATES
        find = partial(self._tables.find_silent, find_space(), wanted, int(older_than_s * 1000), limit)
        return [entry.as_silent(uid, now) for uid, entry, now in self._ask(find)]

    def purge(self, *, limit: int = 1_000) -> int:
        """See ``Store.purge``."""
        return self._ask(partial(self._tables.purge, limit))

    def open_feed(self, on_hint: OnHint, on_gap: Callable[[], None]) -> Feed:
        """See ``Store.open_feed``. Without a channel layer that others hear, ``resync_s`` is what pages rely on."""
        return self._announcer.open_feed(on_hint, on_gap)

    def close(self) -> None:
        """See ``Store.close``. The next call opens connections again."""
        self._threads.close()

    def _ask(self, job: Callable[[], Answer]) -> Answer:
        answer: Answer = self._breaker.call(self._threads.run, job)
        return answer

    def _change(self, uid: str, decide: Decide[Answer], *, renews: bool = False, renews_list: bool = False) -> Answer:
        place, namespace = find_place(uid), get_namespace()

        def change() -> Answer:
            change = self._changes.make(place, decide, renews=renews, renews_list=renews_list)
            # Here, so that pages hear of it also where the caller has given up waiting.
            self._announce(namespace, change)
            return change.answer

        return self._ask(change)

    def _announce(self, namespace: str, change: Change[Any]) -> None:
        if not self._announcer.is_heard():
            return
        if change.news:
            record = change.news.record
            text = encode_json(task_frame(change.news, Liveness.LIVE if record.state in RUNNING_STATES else None))
            self._announcer.announce(namespace, task_channel(record.uid), not change.news.messages, text)
        if change.version:
            channel = list_channel(change.owner)
            text = encode_json(list_frame(channel, change.version, change.now))
            self._announcer.announce(namespace, channel, True, text)

    def _sweep(self) -> None:
        """Remove now and then what has expired, without letting the caller wait for it."""
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + SWEEP_S
            self._threads.start(partial(self._tables.purge, SWEPT_AT_ONCE))


def _fit(messages: Sequence[Message], skipped: int, numbered_from: int) -> Batch:
    return Batch(messages, skipped, numbered_from).fit(get_settings().MESSAGES_KEPT)
