"""What the threads of the database store read in its tables, and delete there; ``database_changes`` changes a task.

No row is made or deleted in a way that sends signals: a project's receivers for all models (an audit log) would run in
the store's threads, where what they do costs every task's time, and is not in the transaction they expect.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import F, QuerySet

from channels_progress.conf import get_settings
from channels_progress.records import RUNNING_STATES, ListVersion, Snapshot, Stamp, TaskState, Version, Written
from channels_progress.store.database_rows import (
    DatabaseClock,
    Place,
    unpack_entry,
    unpack_message,
    write_clock,
)
from channels_progress.store.rules import Entry, Since, heartbeat_age, take_snapshot
from channels_progress.tables import StoredList, StoredMessage, StoredTask

#: Tasks that a purge removes in one step: with full logs some thousand rows, which no database takes long for.
PURGED_IN_ONE_STEP = 20
#: A purge begins with no other step after this share of ``STORE_TIMEOUT_S``.
PURGE_SHARE = 0.4


class Row(NamedTuple):
    """A row of a task as it was read."""

    revision: int
    epoch: str
    heartbeat_at: int
    expires_at: int
    logged: int
    data: str


class Tables:
    """The tables in the database of this alias. All methods run in a ``ConnectionThreads`` job.

    Attributes:
        alias: Its name in ``DATABASES``.
        tasks, messages, lists: All rows there.
    """

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.tasks = StoredTask.objects.using(alias)
        self.messages = StoredMessage.objects.using(alias)
        self.lists = StoredList.objects.using(alias)

    def heartbeat(self, places: Sequence[tuple[Place, Stamp]]) -> list[Written]:
        """See ``Store.heartbeat``."""
        rows = {
            key: (*unpack_entry(data, heartbeat_at), expires_at, now)
            for key, heartbeat_at, expires_at, data, now in self.tasks.filter(
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
            running = self.tasks.filter(key__in=[place.key for place in alive], state__in=RUNNING_STATES)
            running.update(heartbeat_at=heard_at, heard_at=heard_at, expires_at=alive[0].find_expiry(heard_at))
        return answers

    def read(self, place: Place, since: Since) -> Snapshot | None:
        """See ``Store.read``."""
        while True:
            row, now = self.load(place)
            if row is None:
                return None
            _, entry = unpack_entry(row.data, row.heartbeat_at)
            log = self.messages.filter(task=place.key, epoch=entry.epoch, number__lte=entry.offset)
            if row.logged:
                newest = log.order_by("-number").values_list("data", flat=True)[: place.messages_kept]
                entry.messages.extend(unpack_message(data) for data in reversed(newest))
            if len(entry.messages) == min(row.logged, place.messages_kept) or not self._is_replaced(place, row):
                return take_snapshot(place.uid, entry, since, now)

    def _is_replaced(self, place: Place, row: Row) -> bool:
        """Whether the log that was read is not that of the row any more."""
        return not self.tasks.filter(key=place.key, revision=row.revision).exists()

    def read_versions(self, keys: Sequence[str]) -> list[Version | None]:
        """How new the records of these rows are."""
        found: dict[str, Version] = {}
        columns = ("key", "epoch", "attempt", "seq", "state", "heartbeat_at", "expires_at")
        asked = self.tasks.filter(key__in=set(keys)).values_list(*columns, DatabaseClock())
        for key, epoch, attempt, seq, state, heartbeat_at, expires_at, now in asked:
            if expires_at > now:
                found[key] = Version(epoch, attempt, seq, TaskState(state), heartbeat_age(heartbeat_at, now))
        return [found.get(key) for key in keys]

    def read_clock(self) -> int:
        """The store's clock."""
        connection = connections[self.alias]
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {write_clock(connection)}")
            return int(cursor.fetchone()[0])

    def list_tasks(self, space: str, owner: str, kept: int) -> list[tuple[str, Entry]]:
        """The tasks of a space that were listed last, newest first; ``owner`` is a ``list_id``, or empty for all."""
        tasks = self.tasks.filter(space=space, owner=owner) if owner else self.tasks.filter(space=space)
        rows = tasks.order_by("-listed_at").values_list("data", "heartbeat_at", "expires_at", DatabaseClock())[:kept]
        return [unpack_entry(data, heartbeat_at) for data, heartbeat_at, expires_at, now in rows if expires_at > now]

    def read_lists(self, keys: Sequence[str]) -> list[ListVersion | None]:
        """The versions of the lists of these rows."""
        rows = self.lists.filter(key__in=set(keys)).values_list("key", "epoch", "seq", "expires_at", DatabaseClock())
        found = {key: ListVersion(epoch, seq) for key, epoch, seq, expires_at, now in rows if expires_at > now}
        return [found.get(key) for key in keys]

    def find_silent(
        self, space: str, states: Collection[TaskState], silent_ms: int, limit: int
    ) -> list[tuple[str, Entry, int]]:
        """Tasks in these states that are silent for so long, with the store's clock."""
        rows = (
            self.tasks.filter(space=space, state__in=states)
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
        old_lists = self.lists.filter(expires_at__lte=now)
        self.delete(old_lists.filter(key__in=list(old_lists.values_list("key", flat=True)[:limit])))
        return removed

    def _purge_some(self, now: int, limit: int) -> int:
        expired = self.tasks.filter(expires_at__lte=now)
        rows = dict(expired.order_by("expires_at").values_list("key", "epoch")[:limit])
        # The messages first: what is left over by a crash is found again by its task.
        self.delete(self.messages.filter(task__in=rows, epoch__in=rows.values()))
        return self.delete(expired.filter(key__in=rows, epoch__in=rows.values()))

    def explain(self, error: Exception) -> str:
        """What to tell people of an error of the database, in whose thread this is called."""
        tables = {model._meta.db_table for model in (StoredTask, StoredMessage, StoredList)}
        if any(word in str(error) for word in ("table", "relation")):
            missing = tables - set(connections[self.alias].introspection.table_names())
            if missing:
                return f"its tables are missing. Run manage.py migrate channels_progress --database {self.alias}."
        return str(error).partition("\n")[0]

    def delete(self, rows: QuerySet[Any]) -> int:
        """Delete rows at once: ``delete()`` would fetch each of them for a project's receivers of signals."""
        # None where the query is known to find nothing.
        return rows._raw_delete(self.alias) or 0

    def load(self, place: Place) -> tuple[Row | None, int]:
        """The row of a record that has not expired, and the store's clock."""
        rows = self.tasks.filter(key=place.key).values_list(*Row._fields, DatabaseClock())
        for *values, now in rows:
            row = Row(*values)
            return (row if row.expires_at > now else None), now
        return None, self.read_clock()
