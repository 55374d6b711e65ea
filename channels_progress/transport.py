"""Sends to groups of the channel layer from any thread, without waiting for it.

One event loop in one thread of the process does the sending, on connections that stay open: ``async_to_sync`` would
open one for each message. The loop starts with the first message, so never in the parent of a prefork pool that sends
nothing; a fork's child starts its own.

What is sent is a hint: it may be lost. While the layer is away, what waits is dropped; of what waits a newer
replaceable hint of a group takes the place of an older one; and no more than ``MAX_WAITING`` wait.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Hashable
from contextlib import suppress
from typing import Any

from channels.layers import DEFAULT_CHANNEL_LAYER, InMemoryChannelLayer, get_channel_layer
from django.conf import settings
from django.utils.module_loading import import_string

logger = logging.getLogger(__name__)

#: The one ``type`` of our messages: a layer's consumer looks for a handler by it, and an unknown one would kill it.
HINT_TYPE = "channels_progress.hint"
ENVELOPE_VERSION = 1
MAX_WAITING = 1_000
SEND_TIMEOUT_S = 1.0
PAUSE_S = 1.0


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


def make_envelope(channel: str, text: str, *, replaceable: bool) -> dict[str, Any]:
    """The message that carries one frame: texts and a number only, which every layer can encode."""
    kind = "r" if replaceable else "k"
    return {"type": HINT_TYPE, "key": channel, "kind": kind, "version": ENVELOPE_VERSION, "text": text}


class Sender:
    """Sends envelopes. Of a process there is one."""

    def __init__(self) -> None:
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._guard = threading.Lock()
        self._waiting: dict[Hashable, tuple[str, dict[str, Any]]] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news: asyncio.Event | None = None
        self._failing = False
        self._sending = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, and nothing is under way."""
        with self._guard:
            return not (self._waiting or self._sending)

    def send(self, group: str, envelope: dict[str, Any]) -> None:
        """Send soon; returns at once. Never raises."""
        with self._guard:
            if len(self._waiting) >= MAX_WAITING:
                return
            key: Hashable = group if envelope["kind"] == "r" else object()
            self._waiting.pop(key, None)
            self._waiting[key] = (group, envelope)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="channels_progress.sender", daemon=True)
                self._thread.start()
            if self._loop and self._news:
                # Of a thread that has ended the loop is closed; the next one finds what waits.
                with suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._news.set)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        news = asyncio.Event()
        with self._guard:
            self._loop, self._news = asyncio.get_running_loop(), news
        news.set()
        while True:
            await news.wait()
            news.clear()
            try:
                await self._send_waiting()
            except (Exception, asyncio.CancelledError) as error:
                # Nobody cancels this loop's one task: the layer has cancelled itself.
                self._drop(error)
                await asyncio.sleep(PAUSE_S)

    async def _send_waiting(self) -> None:
        layer = get_channel_layer()
        while taken := self._take():
            group, envelope = taken
            if layer is not None:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await layer.group_send(group, envelope)
            self._failing = False

    def _take(self) -> tuple[str, dict[str, Any]] | None:
        with self._guard:
            self._sending = bool(self._waiting)
            return self._waiting.pop(next(iter(self._waiting))) if self._waiting else None

    def _drop(self, error: BaseException) -> None:
        with self._guard:
            self._waiting.clear()
            self._sending = False
        if not self._failing:
            # Only the type: the text may hold an address with its password.
            logger.warning("No hints are sent for now, pages follow more slowly: %s.", type(error).__name__)
        self._failing = True


_sender = Sender()


def get_sender() -> Sender:
    """The sender of this process."""
    return _sender


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_sender._start_afresh)
