"""Sends over a process-local layer: inside the event loop of those who listen, as its queues are no other's.

Nobody waits for it: the caller may be on that very loop. What is sent goes one after the other, and the loop's other
tasks run in between, so that a burst does not overrun a queue that is being read.
"""

from __future__ import annotations

import asyncio
import logging
import os
import weakref
from collections import deque
from contextlib import suppress
from contextvars import Context
from typing import Any

logger = logging.getLogger("channels_progress.transport")

#: Layer, group, envelope.
Post = tuple[Any, str, dict[str, Any]]

#: The one that has listened last at the end.
_listening: list[weakref.ref[asyncio.AbstractEventLoop]] = []
_lines: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, deque[Post]] = weakref.WeakKeyDictionary()
_under_way: set[asyncio.Task[None]] = set()


def note_local_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Consumers on this loop listen to the channel layer; costs nothing where the layer is shared."""
    others = [known for known in list(_listening) if (other := known()) and other is not loop and not other.is_closed()]
    _listening[:] = [*others, weakref.ref(loop)]


def post_locally(layer: Any, group: str, envelope: dict[str, Any]) -> None:
    """Send soon, in the loop that listens; where none does there is nobody to hear it."""
    if loop := _find_loop():
        # Closed meanwhile: they have all gone.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_queue_up, loop, (layer, group, envelope), context=Context())


def _find_loop() -> asyncio.AbstractEventLoop | None:
    """One only: the members of a group would hear it twice. Best one that runs; else whoever calls may be listening."""
    known = [loop for entry in reversed(list(_listening)) if (loop := entry()) and not loop.is_closed()]
    running = [loop for loop in known if loop.is_running()]
    with suppress(RuntimeError):
        running.append(asyncio.get_running_loop())
    return next(iter(running + known), None)


def _queue_up(loop: asyncio.AbstractEventLoop, post: Post) -> None:
    line = _lines.setdefault(loop, deque())
    line.append(post)
    if len(line) == 1:
        task = loop.create_task(_send_each(line))
        _under_way.add(task)
        task.add_done_callback(_under_way.discard)


async def _send_each(line: deque[Post]) -> None:
    try:
        while line:
            await _send_first(line)
    finally:
        # Cancelled: what comes next finds an empty line, and begins anew.
        line.clear()


async def _send_first(line: deque[Post]) -> None:
    layer, group, envelope = line[0]
    try:
        await layer.group_send(group, envelope)
    except Exception as error:
        logger.warning("A process-local layer failed with %s.", type(error).__name__)
    await asyncio.sleep(0)
    line.popleft()


def _forget_loops() -> None:
    """The loops of a fork's parent run in the parent."""
    _listening.clear()
    _lines.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_loops)
