"""Where task records live: one :class:`~channels_progress.store.contract.Store` per process."""

from __future__ import annotations

import os
import threading
from typing import Any

from django.core.signals import setting_changed

from channels_progress.store.contract import Store
from channels_progress.store.selection import make_store

__all__ = ["Store", "get_store", "reset_store"]

_lock = threading.Lock()
_store: Store | None = None
# What a fork copied belongs to the parent; closing it here could end the parent's conversations.
_inherited: list[Store] = []


def get_store() -> Store:
    """This process's store, made from the settings at the first call, anew after a fork or a change of settings.

    Raises:
        ImproperlyConfigured: The settings name no usable store; the message says what to write.
    """
    global _store
    if (store := _store) is not None:
        return store
    with _lock:
        if _store is None:
            _store = make_store()
        return _store


def reset_store() -> None:
    """Close this process's store and make another one when it is next asked for."""
    global _store
    with _lock:
        store, _store = _store, None
    if store is not None:
        store.close()


def _forget_inherited() -> None:
    global _lock, _store
    _lock = threading.Lock()
    if _store is not None:
        _inherited.append(_store)
        _store = None


def _reset_on_change(*, setting: str, **kwargs: Any) -> None:
    if setting in {"CHANNELS_PROGRESS", "CHANNEL_LAYERS"}:
        reset_store()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited)
setting_changed.connect(_reset_on_change, dispatch_uid="channels_progress.store")
