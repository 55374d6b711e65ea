"""Checks of the dict ``CHANNELS_PROGRESS`` itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  Django's name for it
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from channels_progress.checks.annotations import describe, get_annotations, is_in_range, matches
from channels_progress.checks.databases import has_memory_database
from channels_progress.checks.deliveries import check_deliveries
from channels_progress.checks.origins import check_origins
from channels_progress.checks.people import check_people
from channels_progress.checks.surroundings import is_in_development
from channels_progress.conf import KNOWN_KEYS, SETTING, Settings, get_settings
from channels_progress.store.selection import make_store

#: Below this a report costs the task more than a page can show (screens: 60 Hz, people: less).
SHORTEST_SENSIBLE_INTERVAL_S = 0.02
#: Room for one page's subscription with its token.
SMALLEST_FRAME_BYTES = 1_024

_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,50}")
_SOCKET_PATH = re.compile(r"[^/\s?#\\][^\s?#\\]*")
_HOST = re.compile(r"(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")


def check_options() -> Iterator[CheckMessage]:
    """Everything that the dict alone can show; what depends on sound values is looked at only where they are."""
    given = getattr(django_settings, SETTING, None) or {}
    if not isinstance(given, Mapping):
        yield Error(
            f"{SETTING} is {type(given).__name__}; a dict is expected.",
            hint=f'Write {SETTING} = {{"STORE": "redis://localhost:6379/0"}}, or leave it out.',
            id="channels_progress.E001",
        )
        return
    yield from (_unknown_key(key) for key in given if key not in KNOWN_KEYS)
    wrong = [message for key in sorted(KNOWN_KEYS & given.keys()) for message in _check_value(key, given[key])]
    yield from wrong
    if not wrong:
        options = get_settings()
        for check in _CHECKS:
            yield from check(options)


def _unknown_key(key: Any) -> Error:
    similar = get_close_matches(str(key).upper(), KNOWN_KEYS, n=1)
    hint = f'Did you mean "{similar[0]}"?' if similar else f"Known keys are: {', '.join(sorted(KNOWN_KEYS))}."
    return Error(f"{SETTING} has an unknown key {key!r}.", hint=hint, id="channels_progress.E002")


def _check_value(key: str, value: Any) -> Iterator[CheckMessage]:
    annotation, default = get_annotations()[key], getattr(Settings(), key)
    hint = f'Write {SETTING} = {{"{key}": {default!r}}}, the default, or another such value.'
    if not matches(value, annotation):
        # Only the type is shown: a store's URL may hold a password.
        found = f"{type(value).__name__}; {describe(annotation)} is expected."
        yield Error(f'{SETTING}["{key}"] is {found}', hint=hint, id="channels_progress.E003")
    elif not is_in_range(value):
        found = f"{value!r}; a positive, finite number is expected."
        yield Error(f'{SETTING}["{key}"] is {found}', hint=hint, id="channels_progress.E004")


def _check_names(options: Settings) -> Iterator[CheckMessage]:
    # A callable may need a tenant, which there is not yet.
    if isinstance(options.NAMESPACE, str) and not _NAMESPACE.fullmatch(options.NAMESPACE):
        yield Error(
            f'{SETTING}["NAMESPACE"] is {options.NAMESPACE!r}; it becomes part of keys and group names.',
            hint="Write 1 to 50 ASCII letters, digits, hyphens, underscores or periods.",
            id="channels_progress.E005",
        )
    if not _SOCKET_PATH.fullmatch(options.SOCKET_PATH):
        yield Error(
            f'{SETTING}["SOCKET_PATH"] is {options.SOCKET_PATH!r}; a path without leading slash is expected.',
            hint=f'Write {SETTING} = {{"SOCKET_PATH": "asgi/notifications/"}}.',
            id="channels_progress.E011",
        )
    if options.MAX_FRAME_BYTES < SMALLEST_FRAME_BYTES:
        yield Error(
            f'{SETTING}["MAX_FRAME_BYTES"] is {options.MAX_FRAME_BYTES}; a page could not send its token.',
            hint=f"Write at least {SMALLEST_FRAME_BYTES}.",
            id="channels_progress.E014",
        )


def _check_times(options: Settings) -> Iterator[CheckMessage]:
    if options.STALLED_AFTER_S <= options.HEARTBEAT_S:
        yield Error(
            f"STALLED_AFTER_S ({options.STALLED_AFTER_S}) is not longer than HEARTBEAT_S ({options.HEARTBEAT_S}): "
            "healthy tasks would read stalled.",
            hint=f"Write STALLED_AFTER_S of at least {options.HEARTBEAT_S * 3:g}, so that one heartbeat may be lost.",
            id="channels_progress.E012",
        )
    if options.LOST_AFTER_S <= options.STALLED_AFTER_S:
        yield Error(
            f"LOST_AFTER_S ({options.LOST_AFTER_S}) is not longer than STALLED_AFTER_S ({options.STALLED_AFTER_S}).",
            hint=f"Write a larger LOST_AFTER_S, such as {options.STALLED_AFTER_S * 6:g}.",
            id="channels_progress.E013",
        )
    if options.REPORT_INTERVAL_S < SHORTEST_SENSIBLE_INTERVAL_S:
        yield Warning(
            f"REPORT_INTERVAL_S ({options.REPORT_INTERVAL_S}) makes every task write more often than a page can show.",
            hint=f"Write {SHORTEST_SENSIBLE_INTERVAL_S} or more; 0.1 looks live.",
            id="channels_progress.W001",
        )
    if options.RECORD_TTL_S <= options.LOST_AFTER_S:
        yield Warning(
            f"RECORD_TTL_S ({options.RECORD_TTL_S}) is not longer than LOST_AFTER_S ({options.LOST_AFTER_S}): the "
            "record of a lost task is gone before a page can say so.",
            hint="Write a larger RECORD_TTL_S, such as 86400 (a day).",
            id="channels_progress.W002",
        )


def _check_store(options: Settings) -> Iterator[CheckMessage]:
    try:
        make_store().close()
    except ImproperlyConfigured as error:
        yield _unusable_store(str(error))
    except Exception as error:
        # A project's factory raises anything. Only the type: redis-py quotes parts of the URL, password included.
        yield _unusable_store(f'{SETTING}["STORE"] cannot be used: making it raised {type(error).__name__}.')
    if (options.STORE == "memory" or has_memory_database()) and not is_in_development():
        yield Warning(
            "The store is process-local: no page will see what a worker process reports.",
            hint=f'Write {SETTING} = {{"STORE": "redis://localhost:6379/0"}}.',
            id="channels_progress.W003",
        )


def _unusable_store(what: str) -> Error:
    return Error(
        what,
        hint=f'Write {SETTING} = {{"STORE": "redis://localhost:6379/0"}}, and pip install "channels-progress[redis]".',
        id="channels_progress.E006",
    )


def _check_authorizer(options: Settings) -> Iterator[CheckMessage]:
    authorizer = options.SUBSCRIPTION_AUTHORIZER
    if authorizer is None:
        return
    try:
        function = import_string(authorizer) if isinstance(authorizer, str) else authorizer
        problem = "" if _takes_two(function) else "is not callable with (user, channel_name)"
    except ImportError as error:
        problem = f"cannot be imported: {error}"
    if problem:
        yield Error(
            f'{SETTING}["SUBSCRIPTION_AUTHORIZER"] {authorizer!r} {problem}. Until then every answer is no.',
            hint='Write the dotted path of a function such as "mysite.permissions.may_watch", which is given '
            "(user, channel_name) and returns True or False.",
            id="channels_progress.E007",
        )


def _takes_two(function: Any) -> bool:
    try:
        inspect.signature(function).bind("user", "channel_name")
    except TypeError:
        return False
    except ValueError:
        # Written in C, without a signature to look at.
        return callable(function)
    return True


def _check_hosts(options: Settings) -> Iterator[CheckMessage]:
    for host in options.ALLOWED_REDIRECT_HOSTS:
        if not _HOST.fullmatch(host):
            yield Error(
                f'{SETTING}["ALLOWED_REDIRECT_HOSTS"] holds {host!r}; a host is expected, without scheme, path or '
                "wildcard.",
                hint='Write "reports.example.com", or "reports.example.com:8443".',
                id="channels_progress.E010",
            )


_CHECKS = (
    _check_names,
    _check_times,
    _check_store,
    _check_authorizer,
    check_origins,
    _check_hosts,
    check_people,
    check_deliveries,
)
