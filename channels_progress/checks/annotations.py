"""Values against the annotations of ``conf.Settings``, so that types and ranges are written down once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from channels_progress.conf import Settings

_NAMES: dict[Any, str] = {
    bool: "True or False",
    float: "a number",
    int: "an integer",
    str: "a string",
    NoneType: "None",
}


@cache
def get_annotations() -> dict[str, Any]:
    """The annotation of each key of ``CHANNELS_PROGRESS``."""
    return get_type_hints(Settings)


def matches(value: Any, annotation: Any) -> bool:
    """Whether ``value`` is what the annotation asks for."""
    if annotation is Any:
        return True
    if annotation in _NAMES:
        return _is_plain(value, annotation)
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return any(matches(value, option) for option in get_args(annotation))
    if origin is Callable:
        return callable(value)
    if origin is Mapping:
        both = get_args(annotation)
        return isinstance(value, Mapping) and all(all(map(matches, item, both)) for item in value.items())
    if origin is Sequence:
        [item_annotation] = get_args(annotation)
        return isinstance(value, list | tuple) and all(matches(item, item_annotation) for item in value)
    raise NotImplementedError(f"No rule for the annotation {annotation!r}.")


def describe(annotation: Any) -> str:
    """The annotation in words: ``"a string or None"``."""
    if annotation in _NAMES:
        return _NAMES[annotation]
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return " or ".join(describe(option) for option in get_args(annotation))
    if origin is Callable:
        return "a callable"
    return "a dict" if origin is Mapping else "a list or tuple of strings"


def is_in_range(value: Any) -> bool:
    """Numbers are durations and limits: positive and finite. Anything else has no range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    return math.isfinite(value) and value > 0


def _is_plain(value: Any, annotation: Any) -> bool:
    # A bool is an int to Python, and never what somebody meant as a number of seconds.
    if isinstance(value, bool) or annotation is bool:
        return isinstance(value, bool) and annotation is bool
    return isinstance(value, int | float if annotation is float else annotation)
