"""What the threads of the database store change in a task's row.

A change reads a task's row, decides by the shared rules, and writes the row back where its ``revision`` is still the
one that was read; else somebody else was faster, and all of it is done again. So no row is locked while Python thinks,
and most changes are one SELECT and one UPDATE. Where messages or lists are concerned, a transaction keeps them
together; each takes the locks of one task and then of one list, so that none waits for another in a circle.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F

from channels_progress.conf import get_settings
from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import ListVersion, Snapshot, list_id
from channels_progress.store.database_rows import Place, make_columns, pack_entry, pack_message, unpack_entry
from channels_progress.store.database_tables import Row, Tables
from channels_progress.store.rules import Entry, take_snapshot
from channels_progress.tables import StoredList, StoredMessage, StoredTask

#: Rows of messages beyond those that can be read, before they are deleted: not at every write.
SURPLUS = 25
#: Locks for changes of tasks; two tasks may share one.
TURNS = 64
# MySQL: deadlock; lock wait timeout. PostgreSQL: serialization failure, deadlock.
CONFLICTS = frozenset({1213, 1205, "40001", "40P01"})

Answer = TypeVar("Answer")
#: Given the record, if there is one, and the store's clock: the record after the change, or None, and the answer.
Decide = Callable[[Entry | None, int], tuple[Entry | None, Answer]]


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


class Changes:
    """Changes of tasks in these tables. All methods run in a ``ConnectionThreads`` job."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._turns = [threading.Lock() for _ in range(TURNS)]
        self._guard = threading.Lock()
        self._listed_at = 0

    def make(
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

    def _try(self, place: Place, decide: Decide[Answer], renews: bool, renews_list: bool) -> Change[Answer]:
        row, now = self._tables.load(place)
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
        with treat_conflicts(), transaction.atomic(self._tables.alias) if needs_transaction else nullcontext():
            self._put(place, row, columns)
            if row and is_new:
                self._tables.delete(self._tables.messages.filter(task=place.key).exclude(epoch=entry.epoch))
            self._log(place, entry)
            if logged > place.messages_kept + SURPLUS:
                self._trim(place, entry)
            if lists and entry.owner:
                change.owner, change.version = entry.owner, self._bump_list(place, entry.owner, change.now)

    def _put(self, place: Place, row: Row | None, columns: dict[str, Any]) -> None:
        if row:
            if not self._tables.tasks.filter(key=place.key, revision=row.revision).update(
                **columns, revision=row.revision + 1
            ):
                raise _OvertakenError
            return
        # An expired one may be in the way.
        self._tables.delete(self._tables.tasks.filter(key=place.key, expires_at__lte=self._tables.read_clock()))
        self._tables.delete(self._tables.messages.filter(task=place.key).exclude(epoch=columns["epoch"]))
        self._tables.tasks.bulk_create([StoredTask(key=place.key, space=place.space, revision=0, **columns)])

    def _log(self, place: Place, entry: Entry) -> None:
        self._tables.messages.bulk_create(
            StoredMessage(task=place.key, epoch=entry.epoch, number=message.offset, data=pack_message(message))
            for message in entry.messages
        )

    def _trim(self, place: Place, entry: Entry) -> None:
        """Delete the oldest messages but those that can be read."""
        log = self._tables.messages.filter(task=place.key, epoch=entry.epoch)
        for oldest in log.order_by("-number").values_list("number", flat=True)[place.messages_kept - 1 :][:1]:
            self._tables.delete(log.filter(number__lt=oldest))

    def _find_turn(self, now: int) -> int:
        """Microseconds: a list's order, also of what one process lists within a millisecond."""
        with self._guard:
            self._listed_at = max(now * 1000, self._listed_at + 1)
            return self._listed_at

    def _bump_list(self, place: Place, owner: str, now: int) -> ListVersion:
        """The next version of the owner's list."""
        key, expires_at = place.make_list_key(list_id(owner)), place.find_list_expiry(now)
        rows = self._tables.lists.filter(key=key)
        if not rows.filter(expires_at__gt=now).update(seq=F("seq") + 1, expires_at=expires_at):
            self._tables.delete(rows.filter(expires_at__lte=now))
            self._tables.lists.bulk_create(
                [StoredList(key=key, epoch=secrets.token_hex(8), seq=1, expires_at=expires_at)]
            )
        return ListVersion(*rows.values_list("epoch", "seq").get())

    def _renew_list(self, place: Place, owner: str, now: int) -> None:
        """A list lives on with the tasks that begin on it."""
        key, expires_at = place.make_list_key(list_id(owner)), place.find_list_expiry(now)
        self._tables.lists.filter(key=key, expires_at__gt=now, expires_at__lt=expires_at).update(expires_at=expires_at)


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
