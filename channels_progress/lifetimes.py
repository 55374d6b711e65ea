"""How long an event is kept for those who are away: what ``persist=`` means."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from channels_progress.conf import get_settings

#: Longer is a slip; and from some year on no database knows the date.
MAX_LIFETIME = timedelta(days=3_650)


def read_lifetime(persist: Any) -> timedelta | None:
    """How long to keep it; None for not at all.

    Args:
        persist: True for ``NOTIFICATION_TTL_S``, a ``timedelta``, or False.

    Raises:
        TypeError: It is neither a bool nor a ``timedelta``.
        ValueError: Nothing, less than nothing, or more than ten years.
    """
    if not isinstance(persist, bool | timedelta):
        raise TypeError(f"persist is {type(persist).__name__}; True, False or a timedelta is expected.")
    if isinstance(persist, bool):
        return timedelta(seconds=get_settings().NOTIFICATION_TTL_S) if persist else None
    if not timedelta(0) < persist <= MAX_LIFETIME:
        raise ValueError(
            f"persist is {persist!r}; more than nothing is expected, and {MAX_LIFETIME.days} days at most."
        )
    return persist
