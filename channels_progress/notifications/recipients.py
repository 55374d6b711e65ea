"""Who gets a notice: a user, users or a queryset of them, read in chunks, so that a crowd needs little memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Manager, Model, QuerySet

from channels_progress.audiences import get_channel_name_for_user
from channels_progress.values import shorten

EXPECTED = "a user, an iterable of users or a queryset of users is expected"


def stream_recipients(recipients: Any, chunk_size: int) -> Iterator[list[str]]:
    """The keys of the recipients, as text, in chunks; each person once, inactive ones not at all.

    One query for a queryset, which reads of the users no more than their key and whether they are active.

    Raises:
        TypeError: This is not what is expected, or something in it is no user; the latter once it has been reached.
        ValueError: A user that is not saved yet, likewise.
    """
    return _cut(_find_new(_read(recipients, chunk_size)), chunk_size)


def stream_keys(users: QuerySet[Any], chunk_size: int) -> Iterator[list[str]]:
    """The keys of all users of a queryset, active or not, as text, in chunks; one query."""
    return _cut(map(str, users.values_list("pk", flat=True).iterator(chunk_size)), chunk_size)


def is_user(value: Any) -> bool:
    """Whether it is a person who can log in, or could: anonymous ones included, other objects with a key not.

    The key of another model's object, whatever that is, would be the key of a stranger.
    """
    # A class has the attributes of its objects.
    is_like_one = hasattr(value, "pk") and hasattr(value, "is_authenticated") and not isinstance(value, type)
    return is_like_one and (isinstance(value, get_user_model()) or not isinstance(value, Model))


def _cut(keys: Iterator[str], chunk_size: int) -> Iterator[list[str]]:
    while chunk := list(islice(keys, chunk_size)):
        yield chunk


def _find_new(keys: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for key in keys:
        if key not in seen:
            seen.add(key)
            yield key


def _read(recipients: Any, chunk_size: int) -> Iterable[str]:
    if is_user(recipients):
        return _read_users([recipients])
    if isinstance(recipients, Manager):
        recipients = recipients.all()
    if isinstance(recipients, QuerySet):
        return _read_queryset(recipients, chunk_size)
    if isinstance(recipients, str | bytes) or not isinstance(recipients, Iterable):
        raise TypeError(f"recipients is {_show(recipients)}; {EXPECTED}.")
    return _read_users(recipients)


def _read_queryset(users: QuerySet[Any], chunk_size: int) -> Iterable[str]:
    if not issubclass(users.model, get_user_model()) or users._fields is not None:  # type: ignore[attr-defined]
        raise TypeError(f"recipients is a queryset of other things than users ({users.model._meta.label}); {EXPECTED}.")
    # What was read already is not read again.
    if users._result_cache is not None:
        return _read_users(users)
    if (columns := _find_columns(users.model)) is None:
        return _read_users(users.iterator(chunk_size))
    # Not ``only()``: a model may look at other fields when it is made, with a query for each of its objects.
    rows = users.values_list(*columns).iterator(chunk_size)
    return (str(pk) for pk, *activity in rows if all(activity))


def _find_columns(model: Any) -> tuple[str, ...] | None:
    """What tells the key of a user, and whether they are active; None where only an object knows."""
    try:
        return ("pk", model._meta.get_field("is_active").name)
    except FieldDoesNotExist:
        # ``AbstractBaseUser`` has an attribute that is always true; other models may have a property.
        return ("pk",) if getattr(model, "is_active", True) is True else None


def _read_users(users: Iterable[Any]) -> Iterator[str]:
    for user in users:
        if not is_user(user):
            raise TypeError(f"recipients has {_show(user)}; {EXPECTED}.")
        get_channel_name_for_user(user)
        if getattr(user, "is_active", True):
            yield str(user.pk)


def _show(value: Any) -> str:
    return f"{type(value).__name__} {shorten(repr(value), 60)}"
