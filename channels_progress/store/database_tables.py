"""What the threads of the database store do in its tables.

A change reads a task's row, decides by the shared rules, and writes the row back where its ``revision`` is still the
one that was read; else somebody else was faster, and all of it is done again. So no row is locked while Python thinks,
and most changes are one SELECT and one UPDATE. Where messages or lists are concerned, a transaction keeps them
together; each takes the locks of one task and then of one list, so that none waits for another in a circle.

No row is made or deleted in a way that sends signals: a project's receivers for all models (an audit log) would run in
the store's threads, where what they do costs every task's time, and is not in the transaction they expect.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import IntegrityError, OperationalError, connections, transaction
from django.db.models import F, QuerySet

from channels_progress.conf import get_settings
from channels_progress.exceptions import StoreUnavailable
from channels_progress.models import StoredList, StoredMessage, StoredTask
from channels_progress.records import RUNNING_STATES, ListVersion, Snapshot, Stamp, TaskState, Version, Written, list_id
from channels_progress.store.database_rows import (
    DatabaseClock,
    Place,
    make_columns,
    pack_entry,
    pack_message,
    unpack_entry,
    unpack_message,
    write_clock,
)
from channels_progress.store.rules import Entry, Since, heartbeat_age, take_snapshot

#: Rows of messages beyond those that can be read, before they are deleted: not at every write.
SURPLUS = 25
#: Tasks that a purge removes in one step: with full logs some thousand rows, which no database takes long for.
PURGED_IN_ONE_STEP = 20
#: A purge begins with no other step after this share of ``STORE_TIMEOUT_S``.
PURGE_SHARE = 0.4
#: Locks for changes of tasks; two tasks may share one.
TURNS = 64
# MySQL: deadlock; lock wait timeout. PostgreSQL: serialization failure, deadlock.
CONFLICTS = frozenset({1213, 1205, "40001", "40P01"})

Answer = TypeVar("Answer")
#: Given the record, if there is one, and the store's clock: the record after the change, or None, and the answer.
Decide = Callable[[Entry | None, int], tuple[Entry | None, Answer]]


class Row(NamedTuple):
    """A row of a task as it was read."""

    revision: int
    epoch: str
    heartbeat_at: int
    expires_at: int
    logged: int
    data: str


@dataclass(slots=True)
class Change(Generic[Answer]):
    """What a change came to.

    Attributes:
        answer: For the caller.
        now: The store's clock.
        news: A snapshot with the new messages, where pages should hear of it.
        owner: Whose list has changed, with its version; empty for none.
        version: Of that list.
    """

    answer: Answer
    now: int
    news: Snapshot | None = None
    owner: str = ""
    version: ListVersion | None = None


class _OvertakenError(Exception):
    """Somebody else has changed the row meanwhile."""


class Tables:
    """The tables in the database of this alias. All methods run in a ``ConnectionThreads`` job."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._tasks = StoredTask.objects.using(alias)
        self._messages = StoredMessage.objects.using(alias)
        self._lists = StoredList.objects.using(alias)
        self._turns = [threading.Lock() for _ in range(TURNS)]
        self._guard = threading.Lock()
        self._listed_at = 0

    def change(
        self, place: Place, decide: Decide[Answer], *, renews: bool = False, renews_list: bool = False
    ) -> Change[Answer]:
        """Change a task.

        Args:
            renews: A record that has not ended lives on, also where nothing else changes.
            renews_list: Its owner's list lives on.
        """
        timeout_s = get_settings().STORE_TIMEOUT_S
        deadline = time.monotonic() + timeout_s
        # Threads of this process need not race each other.
        turn = self._turns[hash(place.key) % len(self._turns)]
        if turn.acquire(timeout=timeout_s):
            try:
                while time.monotonic() < deadline:
                    with suppress(_OvertakenError):
                        return self._try(place, decide, renews, renews_list)
            finally:
                turn.release()
        raise StoreUnavailable("Others change the same task all the time.")

    def heartbeat(self, places: Sequence[tuple[Place, Stamp]]) -> list[Written]:
        """See ``Store.heartbeat``."""
        rows = {
            key: (*unpack_entry(data, heartbeat_at), expires_at, now)
            for key, heartbeat_at, expires_at, data, now in self._tasks.filter(
                key__in={place.key for place, _ in places}
            ).values_list("key", "heartbeat_at", "expires_at", "data", DatabaseClock())
        }
        answers, alive, heard_at = [], [], 0
        for place, stamp in places:
            _, entry, expires_at, now = rows.get(place.key, ("", None, 0, 0))
            if entry is None or expires_at <= now:
                answers.append(Written(False, missing=True))
                continue
            answers.append(entry.beat(stamp, now))
            if answers[-1].accepted:
                alive.append(place)
                heard_at = now
        if alive:
            running = self._tasks.filter(key__in=[place.key for place in alive], state__in=RUNNING_STATES)
            running.update(heartbeat_at=heard_at, heard_at=heard_at, expires_at=alive[0].find_expiry(heard_at))
        return answers

    def read(self, place: Place, since: Since) -> Snapshot | None:
        """See ``Store.read``."""
        while True:
            row, now = self._load(place)
            if row is None:
                return None
            _, entry = unpack_entry(row.data, row.heartbeat_at)
            log = self._messages.filter(task=place.key, epoch=entry.epoch, number__lte=entry.offset)
            if row.logged:
                newest = log.order_by("-number").values_list("data", flat=True)[: place.messages_kept]
                entry.messages.extend(unpack_message(data) for data in reversed(newest))
            if len(entry.messages) == min(row.logged, place.messages_kept) or not self._is_replaced(place, row):
                return take_snapshot(place.uid, entry, since, now)

    def _is_replaced(self, place: Place, row: Row) -> bool:
        """Whether the log that was read is not that of the row any more."""
        return not self._tasks.filter(key=place.key, revision=row.revision).exists()

    def read_versions(self, keys: Sequence[str]) -> list[Version | None]:
        """How new the records of these rows are."""
        found: dict[str, Version] = {}
        columns = ("key", "epoch", "attempt", "seq", "state", "heartbeat_at", "expires_at")
        asked = self._tasks.filter(key__in=set(keys)).values_list(*columns, DatabaseClock())
        for key, epoch, attempt, seq, state, heartbeat_at, expires_at, now in asked:
            if expires_at > now:
                found[key] = Version(epoch, attempt, seq, TaskState(state), heartbeat_age(heartbeat_at, now))
        return [found.get(key) for key in keys]

    def read_clock(self) -> int:
        """The store's clock."""
        connection = connections[self._alias]
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {write_clock(connection)}")
            return int(cursor.fetchone()[0])

    def list_tasks(self, space: str, owner: str, kept: int) -> list[tuple[str, Entry]]:
        """The tasks of a space that were listed last, newest first; ``owner`` is a ``list_id``, or empty for all."""
        tasks = self._tasks.filter(space=space, owner=owner) if owner else self._tasks.filter(space=space)
        rows = tasks.order_by("-listed_at").values_list("data", "heartbeat_at", "expires_at", DatabaseClock())[:kept]
        return [unpack_entry(data, heartbeat_at) for data, heartbeat_at, expires_at, now in rows if expires_at > now]

    def read_lists(self, keys: Sequence[str]) -> list[ListVersion | None]:
        """The versions of the lists of these rows."""
        rows = self._lists.filter(key__in=set(keys)).values_list("key", "epoch", "seq", "expires_at", DatabaseClock())
        found = {key: ListVersion(epoch, seq) for key, epoch, seq, expires_at, now in rows if expires_at > now}
        return [found.get(key) for key in keys]

    def find_silent(
        self, space: str, states: Collection[TaskState], silent_ms: int, limit: int
    ) -> list[tuple[str, Entry, int]]:
        """Tasks in these states that are silent for so long, with the store's clock."""
        rows = (
            self._tasks.filter(space=space, state__in=states)
            .annotate(now=DatabaseClock())
            .filter(heard_at__lte=F("now") - silent_ms, expires_at__gt=F("now"))
            .order_by("heard_at")
            .values_list("data", "heartbeat_at", "now")[:limit]
        )
        return [(*unpack_entry(data, heartbeat_at), now) for data, heartbeat_at, now in rows]

    def purge(self, limit: int) -> int:
        """See ``Store.purge``. What it cannot do well within ``STORE_TIMEOUT_S`` is left to the next call."""
        stops_at = time.monotonic() + get_settings().STORE_TIMEOUT_S * PURGE_SHARE
        now = self.read_clock()
        removed, some = 0, PURGED_IN_ONE_STEP
        while some == PURGED_IN_ONE_STEP and removed < limit and (not removed or time.monotonic() < stops_at):
            some = self._purge_some(now, min(PURGED_IN_ONE_STEP, limit - removed))
            removed += some
        old_lists = self._lists.filter(expires_at__lte=now)
        self._delete(old_lists.filter(key__in=list(old_lists.values_list("key", flat=True)[:limit])))
        return removed

    def _purge_some(self, now: int, limit: int) -> int:
        expired = self._tasks.filter(expires_at__lte=now)
        rows = dict(expired.order_by("expires_at").values_list("key", "epoch")[:limit])
        # The messages first: what is left over by a crash is found again by its task.
        self._delete(self._messages.filter(task__in=rows, epoch__in=rows.values()))
        return self._delete(expired.filter(key__in=rows, epoch__in=rows.values()))

    def explain(self, error: Exception) -> str:
        """What to tell people of an error of the database, in whose thread this is called."""
        tables = {model._meta.db_table for model in (StoredTask, StoredMessage, StoredList)}
        if any(word in str(error) for word in ("table", "relation")):
            missing = tables - set(connections[self._alias].introspection.table_names())
            if missing:
                return f"its tables are missing. Run manage.py migrate channels_progress --database {self._alias}."
        return str(error).partition("\n")[0]

    def _delete(self, rows: QuerySet[Any]) -> int:
        """Delete rows at once: ``delete()`` would fetch each of them for a project's receivers of signals."""
        # None where the query is known to find nothing.
        return rows._raw_delete(self._alias) or 0

    def _load(self, place: Place) -> tuple[Row | None, int]:
        """The row of a record that has not expired, and the store's clock."""
        rows = self._tasks.filter(key=place.key).values_list(*Row._fields, DatabaseClock())
        for *values, now in rows:
            row = Row(*values)
            return (row if row.expires_at > now else None), now
        return None, self.read_clock()

    def _try(self, place: Place, decide: Decide[Answer], renews: bool, renews_list: bool) -> Change[Answer]:
        row, now = self._load(place)
        known = unpack_entry(row.data, row.heartbeat_at)[1] if row else None
        seen = (known.epoch, known.seq, known.offset, known.note) if known else ("", 0, 0, "")
        entry, answer = decide(known, now)
        change = Change(answer, now)
        if entry is None:
            return change
        epoch, seq, offset, note = seen
        has_news = (entry.epoch, entry.seq) != (epoch, seq)
        self._save(
            place, row, entry, change, lists=entry.note != note, renews=has_news or (renews and not entry.latched)
        )
        if renews_list and entry.owner:
            self._renew_list(place, entry.owner, now)
        if has_news:
            change.news = take_snapshot(place.uid, entry, (entry.epoch, offset if entry.epoch == epoch else 0), now)
        return change

    def _save(
        self, place: Place, row: Row | None, entry: Entry, change: Change[Any], *, lists: bool, renews: bool
    ) -> None:
        """Write a record back, with its new messages, and its list where it is to be told.

        Raises:
            _OvertakenError: The row has changed since it was read.
        """
        data = pack_entry(place.uid, entry)
        expires_at = place.find_expiry(entry.find_due(change.now)) if renews or row is None else row.expires_at
        if row and (data, expires_at) == (row.data, row.expires_at):
            return
        is_new = row is None or row.epoch != entry.epoch
        logged = (0 if row is None or is_new else row.logged) + len(entry.messages)
        columns = {**make_columns(entry), "data": data, "expires_at": expires_at, "logged": logged}
        if is_new:
            columns |= {"owner": list_id(entry.owner) if entry.owner else "", "listed_at": self._find_turn(change.now)}
        if logged > place.messages_kept + SURPLUS:
            columns["logged"] = place.messages_kept
        needs_transaction = is_new or lists or entry.messages
        with treat_conflicts(), transaction.atomic(self._alias) if needs_transaction else nullcontext():
            self._put(place, row, columns)
            if row and is_new:
                self._delete(self._messages.filter(task=place.key).exclude(epoch=entry.epoch))
            self._log(place, entry)
            if logged > place.messages_kept + SURPLUS:
                self._trim(place, entry)
            if lists and entry.owner:
                change.owner, change.version = entry.owner, self._bump_list(place, entry.owner, change.now)

    def _put(self, place: Place, row: Row | None, columns: dict[str, Any]) -> None:
        if row:
            if not self._tasks.filter(key=place.key, revision=row.revision).update(
                **columns, revision=row.revision + 1
            ):
                raise _OvertakenError
            return
        # An expired one may be in the way.
        self._delete(self._tasks.filter(key=place.key, expires_at__lte=self.read_clock()))
        self._delete(self._messages.filter(task=place.key).exclude(epoch=columns["epoch"]))
        self._tasks.bulk_create([StoredTask(key=place.key, space=place.space, revision=0, **columns)])

    def _log(self, place: Place, entry: Entry) -> None:
        self._messages.bulk_create(
            StoredMessage(task=place.key, epoch=entry.epoch, number=message.offset, data=pack_message(message))
            for message in entry.messages
        )

    def _trim(self, place: Place, entry: Entry) -> None:
        """Delete the oldest messages but those that can be read."""
        log = self._messages.filter(task=place.key, epoch=entry.epoch)
        for oldest in log.order_by("-number").values_list("number", flat=True)[place.messages_kept - 1 :][:1]:
            self._delete(log.filter(number__lt=oldest))

    def _find_turn(self, now: int) -> int:
        """Microseconds: a list's order, also of what one process lists within a millisecond."""
        with self._guard:
            self._listed_at = max(now * 1000, self._listed_at + 1)
            return self._listed_at

    def _bump_list(self, place: Place, owner: str, now: int) -> ListVersion:
        """The next version of the owner's list."""
        key, expires_at = place.make_list_key(list_id(owner)), place.find_list_expiry(now)
        rows = self._lists.filter(key=key)
        if not rows.filter(expires_at__gt=now).update(seq=F("seq") + 1, expires_at=expires_at):
            self._delete(rows.filter(expires_at__lte=now))
            self._lists.bulk_create([StoredList(key=key, epoch=secrets.token_hex(8), seq=1, expires_at=expires_at)])
        return ListVersion(*rows.values_list("epoch", "seq").get())

    def _renew_list(self, place: Place, owner: str, now: int) -> None:
        """A list lives on with the tasks that begin on it."""
        key, expires_at = place.make_list_key(list_id(owner)), place.find_list_expiry(now)
        self._lists.filter(key=key, expires_at__gt=now, expires_at__lt=expires_at).update(expires_at=expires_at)


@contextmanager
def treat_conflicts() -> Iterator[None]:
    """Two transactions that were in each other's way: the one that was refused is overtaken."""
    try:
        yield
    except IntegrityError as error:
        raise _OvertakenError from error
    except OperationalError as error:
        cause = error.__cause__
        if {getattr(cause, "sqlstate", None), getattr(cause, "pgcode", None), *error.args[:1]} & CONFLICTS:
            raise _OvertakenError from error
        raise
