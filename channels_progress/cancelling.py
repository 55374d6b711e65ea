"""Asking for a cancel: the one way to it, for pages, the admin, the command and Python."""

from __future__ import annotations

from typing import Any

from channels_progress.conf import get_settings
from channels_progress.records import CancelOutcome
from channels_progress.store import get_store
from channels_progress.values import clean_text


def ask_to_cancel(uid: str, *, reason: Any = "") -> CancelOutcome:
    """Ask for a task to be cancelled, whoever asks: check rights before.

    Args:
        reason: Shown to the people watching; cut to ``MESSAGE_MAX_CHARS``. May be lazy.

    Raises:
        StoreUnavailable: Nobody was asked.
        TypeError: ``reason`` is not a text.
    """
    return get_store().request_cancel(uid, reason=clean_reason(reason))


def clean_reason(reason: Any) -> str:
    """The reason as it is stored and shown: without white space around it, not too long."""
    text = reason.strip() if isinstance(reason, str) else reason
    return clean_text(text, "reason", get_settings().MESSAGE_MAX_CHARS)
