"""Conditions of tentative deliveries: asked when one is due, by name, so that they survive a restart.

A condition is a callable that takes the :class:`~channels_progress.notifications.deliveries.OutgoingNotification` and
says whether it is still to be sent. Its name is one it was registered by, or its dotted path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from django.utils.module_loading import import_string

from channels_progress.values import shorten

if TYPE_CHECKING:
    from channels_progress.notifications.deliveries.outgoing import OutgoingNotification

    Condition = Callable[[OutgoingNotification], bool]

#: The condition that the person has neither read the item nor taken it out of their inbox.
UNREAD = "unread"
# What a record has room for.
NAME_MAX_CHARS = 255

Registered = TypeVar("Registered", bound="Condition")
_registered: dict[str, Any] = {}


def register_condition(name: str) -> Callable[[Registered], Registered]:
    """Decorate a callable to be known by this name, in every process that imports its module: workers as well.

    Raises:
        ValueError: Another one has this name, or it is no name: it is empty, too long, or holds a period.
    """
    if not (isinstance(name, str) and 0 < len(name) <= NAME_MAX_CHARS and "." not in name):
        raise ValueError(f"{name!r} is no name of a condition; a short text without a period is expected.")

    def register(function: Registered) -> Registered:
        known = _registered.setdefault(name, function)
        # A module that is loaded again brings its functions again.
        if _find_path(known) != _find_path(function):
            raise ValueError(f"There is a condition {name!r} already: {_find_path(known)}.")
        _registered[name] = function
        return function

    return register


def name_condition(condition: str | Condition | None) -> str:
    """The name by which a record has this condition; an empty string for None.

    Raises:
        TypeError: It is neither a string nor callable.
        ValueError: There is none of this name, or nothing can be imported from this path, or a callable is neither
            registered nor importable.
    """
    if condition is None:
        return ""
    if isinstance(condition, str):
        find_condition(condition)
        return condition
    if not callable(condition):
        raise TypeError(f"condition is {type(condition).__name__}; a name or a callable is expected.")
    for name, known in _registered.items():
        if known is condition:
            return name
    path = _find_path(condition)
    if _import(path) is not condition or len(path) > NAME_MAX_CHARS:
        raise ValueError(f"condition {path} cannot be imported by a worker: decorate it with register_condition().")
    return path


def find_condition(name: str) -> Condition:
    """The condition of this name, or at this path.

    Raises:
        ValueError: There is none.
    """
    found = _registered.get(name) or (_import(name) if "." in name and len(name) <= NAME_MAX_CHARS else None)
    if not callable(found):
        known = ", ".join(sorted(_registered))
        # It is the name that is wrong, whatever it leads to.
        raise ValueError(  # noqa: TRY004
            f"condition is {shorten(repr(name), 60)}; one of {known} is expected, or the dotted path of a callable."
        )
    condition: Condition = found
    return condition


def _find_path(function: Any) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"


def _import(path: str) -> Any:
    try:
        return import_string(path)
    except ImportError:
        return None


@register_condition(UNREAD)
def is_unread(notification: OutgoingNotification) -> bool:
    """Whether the person has neither read it nor taken it out of their inbox."""
    return notification.read_at is None and not notification.is_removed
