"""Checks of the database store, where the settings mean it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.checks import CheckMessage, Warning  # noqa: A004  Django's name for it
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections

from channels_progress.checks.surroundings import is_in_development
from channels_progress.conf import SETTING, get_settings
from channels_progress.store.selection import find_database
from channels_progress.transport import has_shared_layer

SQLITE = "django.db.backends.sqlite3"


def check_database_store() -> Iterator[CheckMessage]:
    """Whether the store's database is reached by all processes, hinders nobody, and tells pages soon."""
    try:
        alias = find_database()
    except ImproperlyConfigured:
        # Reported by the checks of the dict.
        return
    described = connections.settings.get(alias or "", {})
    if described.get("ENGINE") == SQLITE and not is_in_memory(described):
        yield from _check_sqlite(str(alias), str(described["NAME"]))
    if described and not has_shared_layer() and not is_in_development():
        pace_s = min(get_settings().RESYNC_WITHOUT_HINTS_S, get_settings().RESYNC_S)
        yield Warning(
            f"No channel layer carries the database store's hints: pages look for news every {pace_s:g} s. With one "
            "they would hear at once, and ask seldom.",
            hint='Write CHANNEL_LAYERS = redis_channel_layers("redis://localhost:6379/0"), from '
            "channels_progress.conf, or silence this check.",
            id="channels_progress.W005",
        )


def has_memory_database() -> bool:
    """Whether the store is a database that no other process sees."""
    return is_in_memory(connections.settings.get(find_database() or "", {}))


def is_in_memory(described: Mapping[str, Any]) -> bool:
    """Whether an entry of ``DATABASES`` is a SQLite database without a file."""
    name = str(described.get("NAME"))
    return described.get("ENGINE") == SQLITE and (name == ":memory:" or "mode=memory" in name)


def _check_sqlite(alias: str, name: str) -> Iterator[CheckMessage]:
    users = [other for other, each in connections.settings.items() if other != alias and str(each["NAME"]) == name]
    if alias == DEFAULT_DB_ALIAS or users:
        yield Warning(
            f'The store shares the SQLite file of the database "{(users or [alias])[0]}", and one file has one writer: '
            "progress waits for your tasks' transactions, and they for it.",
            hint='Write DATABASES = {…, "progress": {"ENGINE": "django.db.backends.sqlite3", "NAME": '
            f'BASE_DIR / "progress.sqlite3"}}}} and {SETTING} = {{"STORE": "database:progress"}}, and run '
            "manage.py migrate channels_progress --database progress.",
            id="channels_progress.W004",
        )
