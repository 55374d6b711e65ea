"""What a notice may hold besides its text: copies that are plain JSON.

The caller's own objects are never changed, and what they change later does not change the notice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from channels_progress.values import UNSAFE, shorten

#: Of what a notice holds besides its text: pages get all of it, for each notice that they list.
JSON_MAX_CHARS = 100_000
#: What is deeper MariaDB does not take for JSON: 32 levels are too many, and a list of these dicts is one more.
JSON_MAX_LEVELS = 30


def keep_json(value: Any, name: str) -> Any:
    """As ``copy_json``, for what a notice holds.

    Raises:
        TypeError: Something in it cannot be JSON; the message says where.
        ValueError: As JSON it is longer than ``JSON_MAX_CHARS``.
    """
    kept = copy_json(value, name)
    if (length := len(json.dumps(kept))) > JSON_MAX_CHARS:
        raise ValueError(f"{name} is {length} characters of JSON; no more than {JSON_MAX_CHARS} are kept.")
    return kept


def shorten_json(value: Any, max_chars: int) -> Any:
    """JSON as it is, if it is short; a long text cut, with an ellipsis; None in place of whatever else is long."""
    if isinstance(value, str):
        return shorten(value, max_chars)
    return value if len(json.dumps(value)) <= max_chars else None


def copy_json(value: Any, name: str) -> Any:
    """A copy of it that is plain JSON.

    Dates, UUIDs, decimals and lazy texts become strings, and so do numbers that are keys.
    NUL and lone surrogates, which not every database keeps, become U+FFFD.

    Raises:
        TypeError: Something in it cannot be JSON; the message says where. Or there are more than ``JSON_MAX_LEVELS``
            dicts and lists in each other.
    """
    try:
        return _clean(json.loads(_encode(value, name)), JSON_MAX_LEVELS)
    except RecursionError:
        raise TypeError(f"{name} has more than {JSON_MAX_LEVELS} dicts and lists in each other.") from None


def _encode(value: Any, name: str) -> str:
    try:
        return json.dumps(value, cls=DjangoJSONEncoder, allow_nan=False)
    except (TypeError, ValueError) as error:
        place, culprit = _find_culprit(value, name, JSON_MAX_LEVELS)
        raise TypeError(
            f"{place} is {type(culprit).__name__} {shorten(repr(culprit), 60)}; what JSON can hold is expected."
        ) from error


def _find_culprit(value: Any, name: str, levels: int) -> tuple[str, Any]:
    """The innermost part that cannot be JSON, and how it is reached; of what contains itself some part."""
    for key, part in _parts(value) if levels else ():
        try:
            json.dumps(part, cls=DjangoJSONEncoder, allow_nan=False)
        except (TypeError, ValueError):
            return _find_culprit(part, f"{name}[{key!r}]", levels - 1)
    return name, value


def _parts(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)


def _clean(value: Any, levels: int) -> Any:
    if isinstance(value, str):
        return UNSAFE.sub("\ufffd", value)
    if not isinstance(value, list | dict):
        return value
    if not levels:
        raise RecursionError
    if isinstance(value, list):
        return [_clean(part, levels - 1) for part in value]
    return {_clean(key, levels - 1): _clean(part, levels - 1) for key, part in value.items()}
