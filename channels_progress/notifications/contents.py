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
