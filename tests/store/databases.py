"""Databases for the store, of this process's own, made once and dropped at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Barrier
from typing import Any

import pymysql
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from channels_progress.models import (
    DeliveryRecord,
    InboxItem,
    Notice,
    Notification,
    NotificationPreference,
    Receipt,
    StoredList,
    StoredMessage,
    StoredTask,
)
from tests.services import lack

# Django asks for a driver that calls itself mysqlclient, of this release.
pymysql.version_info = (2, 2, 8, "final", 0)
pymysql.install_as_MySQLdb()

ENGINES = {"sqlite": "sqlite3", "postgresql": "postgresql", "mariadb": "mysql"}
SERVERS: dict[str, dict[str, Any]] = {
    "postgresql": {"HOST": "127.0.0.1", "PORT": 5432, "USER": "postgres", "NAME": "postgres"},
    "mariadb": {"HOST": "127.0.0.1", "PORT": 3306, "USER": "root", "NAME": ""},
}
PREFIX = "channels_progress_test"
STORE = (StoredTask, StoredMessage, StoredList, Notification, Receipt)
INBOX = (Notice, InboxItem, DeliveryRecord, NotificationPreference)
# With what they refer to first, and what is deleted with them.
USERS = (ContentType, Permission, Group, User, LogEntry)


def describe(kind: str, **options: Any) -> dict[str, Any]:
    """An entry of ``DATABASES`` as Django completes it."""
    defaults = {
        "ATOMIC_REQUESTS": False, "AUTOCOMMIT": True, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False, "OPTIONS": {},
        "TIME_ZONE": None, "USER": "", "PASSWORD": "", "HOST": "", "PORT": "",
    }  # fmt: skip
    return {"ENGINE": f"django.db.backends.{ENGINES[kind]}", **defaults, **SERVERS.get(kind, {}), **options}


def connect(described: dict[str, Any], alias: str = "apart") -> BaseDatabaseWrapper:
    """A connection that ``connections`` knows nothing of."""
    made: BaseDatabaseWrapper = load_backend(described["ENGINE"]).DatabaseWrapper(described, alias)
    return made


@contextmanager
def make_database(kind: str, folder: Path) -> Iterator[dict[str, Any]]:
    """A database with our tables, as ``DATABASES`` describes it; gone after the block."""
    if kind == "sqlite":
        described = describe(kind, NAME=str(folder / "store.sqlite3"))
        make_tables(described)
        yield described
        return
    name = f"{PREFIX}_{os.getpid()}"
    with closing(connect(describe(kind))) as server:
        try:
            server.ensure_connection()
        except Error as error:
            lack(f"no {kind} on port {SERVERS[kind]['PORT']}: {type(error).__name__}")
        drop_left_over(server)
        execute(server, f"CREATE DATABASE {name}")
    described = describe(kind, NAME=name)
    try:
        make_tables(described)
        yield described
    finally:
        with closing(connect(describe(kind))) as server:
            drop(server, name)


def drop_left_over(server: BaseDatabaseWrapper) -> None:
    """Drop what killed runs have left behind: databases of processes that are gone."""
    asked = "SELECT datname FROM pg_database" if server.vendor == "postgresql" else "SHOW DATABASES"
    with server.cursor() as cursor:
        cursor.execute(asked)
        names = [name for (name,) in cursor.fetchall() if name.startswith(PREFIX)]
    for name in names:
        if not Path(f"/proc/{name.rpartition('_')[2]}").exists():
            with suppress(Error):  # another process does the same
                drop(server, name)


def drop(server: BaseDatabaseWrapper, name: str) -> None:
    execute(server, f"DROP DATABASE IF EXISTS {name}{' WITH (FORCE)' if server.vendor == 'postgresql' else ''}")


def execute(server: BaseDatabaseWrapper, sql: str) -> None:
    with server.cursor() as cursor:
        cursor.execute(sql)


def make_tables(described: dict[str, Any]) -> None:
    with known_as("apart", described), connections["apart"].schema_editor() as editor:
        for model in (*STORE, *INBOX, *USERS):
            editor.create_model(model)


def call_at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What these answer when each is called in a thread of its own, all at the same moment."""
    start = Barrier(len(calls))

    def call(function: Callable[[], Any]) -> Any:
        start.wait(60)
        try:
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(call, calls))


@contextmanager
def known_as(alias: str, described: dict[str, Any]) -> Iterator[None]:
    """``DATABASES`` has this entry while the block lasts."""
    connections.settings[alias] = described
    try:
        yield
    finally:
        if alias in connections:
            with suppress(AttributeError):
                connections[alias].close()
                del connections[alias]
        del connections.settings[alias]


class Router:
    """Keeps the app in one database, and users as well where they are named."""

    def __init__(self, alias: str, *others: str) -> None:
        self.alias = alias
        self.labels = {"channels_progress", *others}

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        """This one."""
        return self.alias if model._meta.app_label in self.labels else None

    db_for_write = db_for_read
