"""What a report may contain: each value made safe for JSON, for a page and for a bounded record.

A programmer's slip raises ``TypeError`` or ``ValueError``; odd data is clamped or cut, and marked as such.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from numbers import Real
from typing import Any

from django.contrib.messages import constants
from django.utils.functional import Promise

# The largest integer a browser holds exactly (ECMAScript Number.MAX_SAFE_INTEGER).
MAX_NUMBER = 2**53 - 1
ELLIPSIS = "…"
#: What cannot be encoded as UTF-8, or not be stored as text everywhere.
UNSAFE = re.compile("[\0\ud800-\udfff]")
LEVELS = tuple(constants.DEFAULT_TAGS.values())


def clean_number(value: Any, name: str) -> int | float:
    """A finite number from 0 to 2**53 - 1; larger ones are clamped.

    Raises:
        TypeError: ``value`` is not a number.
        ValueError: it is negative, NaN or infinite.
    """
    # The usual case first: a reporter asks for every number that it shows a text with.
    if type(value) is int and 0 <= value <= MAX_NUMBER:
        return value
    if not isinstance(value, Real | Decimal):
        raise TypeError(f"{name} is {type(value).__name__} {shorten(repr(value), 60)}; a number is expected.")
    number = int(value) if isinstance(value, int) else _as_float(value)
    if isinstance(number, float) and not math.isfinite(number):
        raise ValueError(f"{name} is {value!r}; a finite number is expected.")
    if number < 0:
        raise ValueError(f"{name} is {shorten(repr(value), 60)}; it cannot be negative.")
    return min(number, MAX_NUMBER)


def _as_float(value: Real | Decimal) -> int | float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number) and abs(value) != math.inf:
        # Too large for a float, but a number.
        return MAX_NUMBER if value == abs(value) else -1
    return int(number) if number.is_integer() and abs(number) <= MAX_NUMBER else number


def clean_text(value: Any, name: str, max_chars: int) -> str:
    """A text that can be encoded as UTF-8, at most ``max_chars`` long; a cut one ends with ``…``.

    A lazy translation is resolved in the language active now. Lone surrogates and NUL become U+FFFD.

    Raises:
        TypeError: ``value`` is neither a string nor a lazy one.
    """
    if isinstance(value, Promise):
        value = str(value)
    if not isinstance(value, str):
        raise TypeError(f"{name} is {type(value).__name__} {shorten(repr(value), 60)}; a string is expected.")
    return UNSAFE.sub("\ufffd", shorten(value, max_chars))


def clean_level(value: Any) -> str:
    """The name of a message level, given as a name or as a constant of ``django.contrib.messages``.

    Raises:
        ValueError: There is no such level.
    """
    level = constants.DEFAULT_TAGS.get(value) if type(value) is int else value
    if level not in LEVELS:
        raise ValueError(f"level is {shorten(repr(value), 60)}; one of {', '.join(LEVELS)} is expected.")
    return str(level)


def shorten(text: str, max_chars: int) -> str:
    """``text``, cut to ``max_chars`` characters with an ellipsis as the last of them."""
    return text if len(text) <= max_chars else text[: max_chars - 1] + ELLIPSIS
