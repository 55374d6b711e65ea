"""Checks of how an inbox shows people: what would only be seen once somebody has a notification."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.utils.module_loading import import_string

from channels_progress.conf import SETTING, Settings


def check_people(options: Settings) -> Iterator[CheckMessage]:
    """Whether people can be shown as the settings say."""
    path = options.INBOX_USER_SERIALIZER
    if path and (problem := _find_problem(path)):
        yield Error(
            f'{SETTING}["INBOX_USER_SERIALIZER"] {path!r} {problem}. No inbox can be shown.',
            hint='Write "channels_progress.rest.serializers.UserSerializer", another serializer, or a function that is '
            "given a user and returns a dict.",
            id="channels_progress.E015",
        )
    try:
        users = get_user_model()
    except ImproperlyConfigured:
        # Django says so itself.
        return
    yield from (
        _tell_unknown("INBOX_USER_SELECT_RELATED", name, users)
        for name in options.INBOX_USER_SELECT_RELATED
        if not _leads_on(users, name)
    )
    yield from (
        _tell_unknown("INBOX_USER_PREFETCH_RELATED", name, users)
        for name in options.INBOX_USER_PREFETCH_RELATED
        if not hasattr(users, name.split("__")[0])
    )


def _tell_unknown(key: str, name: str, users: Any) -> Error:
    return Error(
        f'{SETTING}["{key}"] holds {name!r}, which {users._meta.label} does not have. No inbox can be shown.',
        hint=f'Write what {key.removeprefix("INBOX_USER_").lower()}() takes for a user: "profile", or "profile__city".',
        id="channels_progress.E016",
    )


def _find_problem(path: str) -> str:
    try:
        return "" if callable(import_string(path)) else "is not callable"
    except ImportError as error:
        return f"cannot be imported: {error}"


def _leads_on(model: Any, name: str) -> bool:
    """Whether each part is a relation to one row of the next model."""
    for part in name.split("__"):
        try:
            field = model._meta.get_field(part)
        except FieldDoesNotExist:
            return False
        if not (field.many_to_one or field.one_to_one):
            return False
        model = field.related_model
    return True
