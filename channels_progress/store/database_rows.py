"""Records as the database store has them: the keys of rows, what a row is made of, and the database's clock."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, Expression

from channels_progress.conf import get_settings
from channels_progress.records import Message, TaskState
from channels_progress.spaces import find_space, make_key
from channels_progress.store.lists import LIFETIMES
from channels_progress.store.rules import Entry, SeenDelivery, find_last_sign

#: A row's life is renewed in so many steps, so that most writes leave its index alone.
EXPIRY_STEPS = 16
#: ``Entry`` without what has tables and columns of its own.
_FIELDS = tuple(field.name for field in fields(Entry) if field.name not in {"messages", "deliveries", "heartbeat_at"})


#: By the vendor of the database; integer UTC milliseconds now: not when a transaction began, and in no time zone.
CLOCKS = {
    # unixepoch('subsec') is of SQLite 3.42; the day number has its milliseconds, too.
    "sqlite": "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
    # now() would be the start of the transaction.
    "postgresql": "CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS bigint)",
    # UNIX_TIMESTAMP(NOW(3)) is an hour off when summer time ends.
    "mysql": "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000)",
}


class DatabaseClock(Expression):
    """The database's clock, for a query."""

    output_field = BigIntegerField()

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[str | int, ...]]:
        """In the words of this database."""
        return write_clock(connection), ()


def write_clock(connection: Any) -> str:
    """The SQL of the database's clock."""
    return CLOCKS[connection.vendor]


class Place(NamedTuple):
    """Where a task is, and what its rows are made with; from the settings and the namespace of the caller.

    Attributes:
        uid: Celery's task id.
        key: Of its row.
        space: Made of the namespace.
        ttl_ms: How long a record is kept.
        messages_kept: How many of its messages can be read.
    """

    uid: str
    key: str
    space: str
    ttl_ms: int
    messages_kept: int

    def find_expiry(self, now: int) -> int:
        """When what is renewed now counts as gone; a little late, so that it seldom changes."""
        return find_expiry(now, self.ttl_ms)

    def find_list_expiry(self, now: int) -> int:
        """The same of a list."""
        return find_expiry(now, LIFETIMES * self.ttl_ms)

    def make_list_key(self, list_id: str) -> str:
        """Key of the row of one of the lists in this namespace."""
        return make_key(self.space, list_id)


def find_expiry(now: int, ttl_ms: int) -> int:
    step = max(1, ttl_ms // EXPIRY_STEPS)
    return math.ceil((now + ttl_ms) / step) * step


def find_place(uid: str) -> Place:
    """The place of a task in the namespace in force."""
    settings, space = get_settings(), find_space()
    return Place(uid, make_key(space, uid), space, int(settings.RECORD_TTL_S * 1000), settings.MESSAGES_KEPT)


def pack_entry(uid: str, entry: Entry) -> str:
    """What a row says of a record besides its columns."""
    data = {name: getattr(entry, name) for name in _FIELDS}
    return _encode({**data, "uid": uid, "deliveries": list(entry.deliveries)})


def unpack_entry(data: str, heartbeat_at: int) -> tuple[str, Entry]:
    """The uid and the record of a row, without messages."""
    values: dict[str, Any] = json.loads(data)
    uid, deliveries, state = values.pop("uid"), values.pop("deliveries"), TaskState(values.pop("state"))
    entry = Entry(**values, state=state, heartbeat_at=heartbeat_at)
    entry.deliveries.extend(SeenDelivery(*seen) for seen in deliveries)
    return uid, entry


def pack_message(message: Message) -> str:
    """A message as its row has it."""
    return _encode([message.level, message.text, message.offset, message.at])


def unpack_message(data: str) -> Message:
    """The message of a row."""
    return Message(*json.loads(data))


def make_columns(entry: Entry) -> Mapping[str, Any]:
    """What can be looked for, and what others change."""
    heard_at = find_last_sign(entry.state, entry.created_at, entry.heartbeat_at, entry.retry_at)
    return {
        "epoch": entry.epoch,
        "attempt": entry.attempt,
        "seq": entry.seq,
        "state": str(entry.state),
        "heartbeat_at": entry.heartbeat_at,
        "heard_at": heard_at,
    }


def _encode(value: Any) -> str:
    # ASCII: any database keeps it, whatever its encoding; PostgreSQL would refuse a null character.
    return json.dumps(value, separators=(",", ":"))
