"""Who may watch and who may cancel a task, where no token says so.

The owner may. For others the project's ``SUBSCRIPTION_AUTHORIZER`` is asked, about watching only: a colleague
allowed to look at a task is not thereby allowed to end it. Staff have no right of their own here: their permissions
count in the admin only (``staff.watching`` says why). Without an answer: no.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from inspect import isawaitable
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.utils.module_loading import import_string

from channels_progress.conf import get_settings
from channels_progress.events import task_channel
from channels_progress.records import TaskRecord
from channels_progress.store import get_store
from channels_progress.viewers import Viewer

logger = logging.getLogger(__name__)


def may_watch(viewer: Viewer, task: str | TaskRecord) -> bool:
    """Whether the viewer may see this task, given as its uid or, saving a read of the store, its record.

    Raises:
        StoreUnavailable: A uid was given and the store did not answer.
    """
    if viewer.is_locked_out:
        return False
    return _is_owner(viewer, _find_record(task)) or _is_authorized(viewer.user, _channel_of(task))


async def amay_watch(viewer: Viewer, task: str | TaskRecord) -> bool:
    """As ``may_watch``, without blocking the event loop."""
    if viewer.is_locked_out:
        return False
    # Not thread-sensitive: while the store is frozen this must not hold the one thread that all ORM calls share.
    record = await sync_to_async(_find_record, thread_sensitive=False)(task)
    return _is_owner(viewer, record) or await sync_to_async(_is_authorized)(viewer.user, _channel_of(task))


def may_cancel(viewer: Viewer, record: TaskRecord) -> bool:
    """Whether the viewer may end this task: only its owner. Others need a token with the right ``cancel``."""
    return not viewer.is_locked_out and _is_owner(viewer, record)


def _find_record(task: str | TaskRecord) -> TaskRecord | None:
    if isinstance(task, TaskRecord):
        return task
    snapshot = get_store().read(task)
    return None if snapshot is None else snapshot.record


def _channel_of(task: str | TaskRecord) -> str:
    return task_channel(task if isinstance(task, str) else task.uid)


def _is_owner(viewer: Viewer, record: TaskRecord | None) -> bool:
    # A task without an owner belongs to nobody: no viewer has an empty key.
    return record is not None and record.owner in viewer.owner_keys


def _is_authorized(user: Any, channel: str) -> bool:
    authorizer = get_settings().SUBSCRIPTION_AUTHORIZER
    if authorizer is None:
        return False
    try:
        ask = import_string(authorizer) if isinstance(authorizer, str) else authorizer
        answer = _finish(ask(user, channel))
    except Exception:
        logger.exception("SUBSCRIPTION_AUTHORIZER failed for channel %r; refused.", channel)
        return False
    if not isinstance(answer, bool | None):
        logger.warning(
            "SUBSCRIPTION_AUTHORIZER answered %s for channel %r; only True allows.", type(answer).__name__, channel
        )
    return answer is True


def _finish(answer: Any) -> Any:
    """``answer``, awaited if need be, in sync code, even in sync code on an event loop's own thread."""
    if not isawaitable(answer):
        return answer
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return async_to_sync(_await)(answer)
    # A template rendered straight from an async view: async_to_sync refuses, so the coroutine gets another thread.
    context = copy_context()
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(context.run, asyncio.run, _await(answer)).result()


async def _await(answer: Awaitable[Any]) -> Any:
    return await answer
