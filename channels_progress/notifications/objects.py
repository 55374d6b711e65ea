"""The object that a notice is about: its fields as they are now, and what has changed of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import router
from django.db.models import BinaryField, Field, JSONField, Model

from channels_progress.conf import get_settings
from channels_progress.notifications.contents import copy_json, keep_json, shorten_json
from channels_progress.values import shorten

#: A column whose name contains one of these is left out: ``password``, ``accessToken``.
SECRET_PARTS = ("credential", "passcode", "passphrase", "passwd", "password", "secret", "token")
#: Or one of these as a word: ``api_key``, ``pin``, but not ``keyword``.
SECRET_WORDS = frozenset({"apikey", "cvc", "cvv", "hash", "key", "keys", "otp", "pin", "salt", "totp"})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# What tells by itself whether it is the same: 5 is 5.00, and not what JSON makes of it.
_PLAIN = (str, int, float, Decimal, date, time, timedelta, UUID, type(None))


def describe_instance(instance: Model, serializer: Callable[[Any], Any] | None = None) -> Any:
    """The fields of an object as JSON.

    Args:
        instance: Saved or not.
        serializer: A serializer class of Django REST framework, or any callable that takes the object and returns a
            mapping. None: each column that was loaded, without secrets (``is_secret``) and bytes; what is longer than
            ``MESSAGE_MAX_CHARS`` is cut (a text) or None.

    Raises:
        TypeError: The serializer gives no mapping, or something that cannot be JSON.
        ValueError: What it gives is too long.
    """
    if serializer is None:
        return {field.name: _show(field, instance) for field in find_fields(instance)}
    described = serializer(instance)
    described = getattr(described, "data", described)
    if not isinstance(described, Mapping):
        raise TypeError(
            f"serializer gave {type(described).__name__} {shorten(repr(described), 60)}; a dict is expected."
        )
    return keep_json(dict(described), "instance")


def find_fields(instance: Model) -> list[Field[Any, Any]]:
    """The columns of an object that may be shown, as far as they are loaded."""
    deferred = instance.get_deferred_fields()
    return [
        field
        for field in instance._meta.concrete_fields
        if field.attname not in deferred and not isinstance(field, BinaryField) and not is_secret(field)
    ]


def is_secret(field: Field[Any, Any]) -> bool:
    """Whether its name says that it holds what nobody should read, or that of its class (``EncryptedTextField``).

    A rule of thumb: who has other secrets in an object gives a serializer.
    """
    name = field.name.lower()
    words = {word.lower() for word in _WORD.findall(field.name)}
    return (
        any(part in name for part in SECRET_PARTS)
        or not words.isdisjoint(SECRET_WORDS)
        or "encrypt" in type(field).__name__.lower()
    )


def changed_fields(instance: Model) -> dict[str, Any]:
    """What saving this object would change: ``{field: {"original": …, "new": …}}``, for ``notify(changed=…)``.

    Of a JSON field that holds a dict, ``{key: {"original": …, "new": …}}`` for each key that differs. Columns that may
    not be shown (see ``is_secret``) are left out, and so are relations of many to many, which saving does not touch.
    One query.

    Raises:
        TypeError: This is no model instance.
        ValueError: It has no row: it was never saved, or is deleted.
    """
    if not isinstance(instance, Model):
        raise TypeError(f"instance is {type(instance).__name__} {shorten(repr(instance), 60)}; a model's is expected.")
    # Not ``type()``: a lazy ``request.user`` is one, too.
    model = instance.__class__
    rows = model._base_manager.using(router.db_for_write(model, instance=instance))
    stored = None if instance.pk is None else rows.filter(pk=instance.pk).first()
    if stored is None:
        raise ValueError(f"{model._meta.label} {shorten(repr(instance), 60)} has no row to be compared with.")
    fields = [field for field in find_fields(instance) if not _is_same(field, stored, instance)]
    return {field.name: _compare(field, stored, instance) for field in fields}


def read_field(field: Field[Any, Any], instance: Model) -> Any:
    """One column as JSON: the key of a foreign one, the name of a file, and else what Django's serializers write.

    None where only the database knows: the value is an expression.
    """
    value = field.value_from_object(instance)
    if hasattr(value, "resolve_expression"):
        return None
    try:
        return copy_json(value, field.name)
    except TypeError:
        return copy_json(field.value_to_string(instance), field.name)


def _is_same(field: Field[Any, Any], stored: Model, instance: Model) -> bool:
    original, new = field.value_from_object(stored), field.value_from_object(instance)
    # An expression can be anything; what a form has left is compared as it will be stored.
    if not hasattr(new, "resolve_expression"):
        with suppress(ValidationError):
            new = field.to_python(new)
        if isinstance(original, _PLAIN) and isinstance(new, _PLAIN):
            return bool(original == new)
    return bool(read_field(field, stored) == read_field(field, instance))


def _show(field: Field[Any, Any], instance: Model) -> Any:
    return shorten_json(read_field(field, instance), get_settings().MESSAGE_MAX_CHARS)


def _compare(field: Field[Any, Any], stored: Model, instance: Model) -> Any:
    original, new = read_field(field, stored), read_field(field, instance)
    if not (isinstance(field, JSONField) and isinstance(original, dict) and isinstance(new, dict)):
        return {"original": _show(field, stored), "new": _show(field, instance)}
    max_chars = get_settings().MESSAGE_MAX_CHARS
    return {
        key: {"original": shorten_json(original.get(key), max_chars), "new": shorten_json(new.get(key), max_chars)}
        for key in {**original, **new}
        if key not in original or key not in new or original[key] != new[key]
    }
