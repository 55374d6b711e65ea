"""How the store's own connections to a database are made: in autocommit, giving up early, with a log of their own."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from channels_progress.conf import get_settings


def make_connection(alias: str) -> BaseDatabaseWrapper:
    """A connection for this thread as ``DATABASES`` says, in autocommit, that gives up early where it can."""
    described = {**connections.settings[alias]}
    # No deep copy: options may be what cannot be copied, such as an SSL context.
    described["OPTIONS"] = options = {**described["OPTIONS"]}
    described.update(ATOMIC_REQUESTS=False, AUTOCOMMIT=True, CONN_MAX_AGE=None, CONN_HEALTH_CHECKS=False)
    timeout_s = get_settings().STORE_TIMEOUT_S
    made: BaseDatabaseWrapper = load_backend(described["ENGINE"]).DatabaseWrapper(described, alias)
    options.pop("pool", None)
    if made.vendor == "sqlite":
        # IMMEDIATE: a transaction that has read cannot wait for its turn to write.
        options |= {"timeout": timeout_s, "transaction_mode": "IMMEDIATE"}
    else:
        # Whole seconds; libpq takes at least two.
        options["connect_timeout"] = max(2, math.ceil(timeout_s))
    if made.vendor == "mysql":
        options |= {name: max(1, math.ceil(timeout_s)) for name in ("read_timeout", "write_timeout")}
    return made


def tune(connection: BaseDatabaseWrapper) -> None:
    """A SQLite file that is the store's alone gets a write-ahead log, which readers and the writer share in peace."""
    if connection.vendor != "sqlite" or shares_file(connection.alias):
        return
    with connection.cursor() as cursor:
        # Another process that opens it at this moment does the same.
        with suppress(OperationalError):
            cursor.execute("PRAGMA journal_mode = WAL")
        # What a power cut takes is a few seconds of progress.
        cursor.execute("PRAGMA synchronous = NORMAL")


def shares_file(alias: str) -> bool:
    """Whether a SQLite database is also there for something else than the store."""
    name = connections.settings[alias]["NAME"]
    others = [other for other in connections.settings if other != alias]
    return alias == DEFAULT_DB_ALIAS or any(connections.settings[other]["NAME"] == name for other in others)


def find_socket(connection: Any) -> int | None:
    """The number of the socket that a connection waits at; None where there is none, or the driver hides it."""
    raw = getattr(connection, "connection", None)
    if raw is None:
        return None
    if hasattr(raw, "fileno"):  # psycopg
        return int(raw.fileno())
    return int(raw._sock.fileno()) if hasattr(raw, "_sock") else None  # PyMySQL
