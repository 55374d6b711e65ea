"""Which kind of channel layer there is, and whether this process may run an event loop for it."""

from __future__ import annotations

import sys

from channels.layers import DEFAULT_CHANNEL_LAYER, InMemoryChannelLayer
from django.conf import settings
from django.utils.module_loading import import_string


def has_shared_layer() -> bool:
    """Whether there is a channel layer that other processes hear."""
    described = (getattr(settings, "CHANNEL_LAYERS", None) or {}).get(DEFAULT_CHANNEL_LAYER) or {}
    try:
        backend = import_string(described.get("BACKEND", ""))
    except ImportError:
        # A system check reports it; the store works without.
        return False
    return not (isinstance(backend, type) and issubclass(backend, InMemoryChannelLayer))


def can_send() -> bool:
    """Whether this process may run an event loop beside its work: not under gevent, where it would stop all others."""
    monkey = sys.modules.get("gevent.monkey")
    return not (monkey and monkey.is_module_patched("threading"))
