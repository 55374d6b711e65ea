"""What a notice may hold besides its text: copies that are plain JSON, and the fields of the object it is about.

The caller's own objects are never changed, and what they change later does not change the notice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import BinaryField, Field, Model

from channels_progress.values import UNSAFE, shorten

#: A field whose name has one of these words is left out: ``password``, ``api_key``, ``access_token``, ``otpSecret``.
SECRET_WORDS = frozenset(
    {"apikey", "credential", "credentials", "hash", "key", "otp", "passcode", "passphrase", "passwd", "password", "pin",
     "salt", "secret", "secrets", "token", "tokens", "totp"}
)  # fmt: skip
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_FIELD_IS_SECRET = re.compile("encrypt|password|secret", re.IGNORECASE)


def copy_json(value: Any, name: str) -> Any:
    """A copy of it that is plain JSON. Dates, UUIDs, decimals and lazy texts become strings, keys as well.

    NUL and lone surrogates, which not every database keeps, become U+FFFD.

    Raises:
        TypeError: Something in it cannot be JSON; the message says where.
    """
    return _clean(json.loads(_encode(value, name)))


def _encode(value: Any, name: str) -> str:
    try:
        return json.dumps(value, cls=DjangoJSONEncoder, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        place, culprit = _find_culprit(value, name)
        raise TypeError(
            f"{place} is {type(culprit).__name__} {shorten(repr(culprit), 60)}; what JSON can hold is expected."
        ) from error


def _find_culprit(value: Any, name: str) -> tuple[str, Any]:
    """The innermost part that cannot be JSON, and how it is reached."""
    for key, part in _parts(value):
        try:
            json.dumps(part, cls=DjangoJSONEncoder, allow_nan=False)
        except (TypeError, ValueError):
            return _find_culprit(part, f"{name}[{key!r}]")
        except RecursionError:
            break
    return name, value


def _parts(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return UNSAFE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_clean(part) for part in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(part) for key, part in value.items()}
    return value


def describe_instance(instance: Model, serializer: Callable[[Any], Any] | None = None) -> Any:
    """The fields of an object as JSON.

    Args:
        instance: Saved or not.
        serializer: A serializer class of Django REST framework, or any callable that takes the object and returns a
            mapping. None: each column that was loaded, without secrets (``is_secret``) and bytes.

    Raises:
        TypeError: The serializer gives no mapping, or something that cannot be JSON.
    """
    if serializer is None:
        return {field.name: read_field(field, instance) for field in find_fields(instance)}
    described = serializer(instance)
    described = getattr(described, "data", described)
    if not isinstance(described, Mapping):
        raise TypeError(
            f"serializer gave {type(described).__name__} {shorten(repr(described), 60)}; a dict is expected."
        )
    return copy_json(dict(described), "instance")


def find_fields(instance: Model) -> list[Field[Any, Any]]:
    """The columns of an object that may be shown, as far as they are loaded."""
    deferred = instance.get_deferred_fields()
    return [
        field
        for field in instance._meta.concrete_fields
        if field.attname not in deferred and not isinstance(field, BinaryField) and not is_secret(field)
    ]


def is_secret(field: Field[Any, Any]) -> bool:
    """Whether its name, or that of its class, says that it holds what nobody should read.

    A rule of thumb: who has other secrets in an object gives a serializer.
    """
    words = {word.lower() for word in _WORD.findall(field.name)}
    return not field.primary_key and bool(words & SECRET_WORDS or _FIELD_IS_SECRET.search(type(field).__name__))


def read_field(field: Field[Any, Any], instance: Model) -> Any:
    """One column as JSON: the key of a foreign one, the name of a file, and else what Django's serializers write."""
    value = field.value_from_object(instance)
    try:
        return copy_json(value, field.name)
    except TypeError:
        return copy_json(field.value_to_string(instance), field.name)
