"""Keeps a page up to date that runs no JavaScript: it loads itself again, less and less often, until the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels_progress.records import ENDED_STATES

# Seconds since the task was sent or last begun, and how often a page is then loaded again.
_PACE = ((1800, 60), (120, 15), (0, 5))


def find_reload_s(state: Mapping[str, Any], now: int) -> int:
    """Seconds until the page is to be loaded again: 5 to 60; 0 once nothing changes any more.

    Args:
        state: The ``state`` of a task frame.
        now: The store's clock, UTC milliseconds.
    """
    if state["state"] in ENDED_STATES:
        return 0
    if (waits_s := ((state.get("starts_at") or 0) - now) // 1000) > 0:
        return min(max(waits_s, 5), 60)
    age_s = max(0, now - max(state["created_at"], state["began_at"])) / 1000
    return next(every for since, every in _PACE if age_s >= since)
