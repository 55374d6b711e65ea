"""Who may watch and who may cancel a task, and who may subscribe to what by name, where no token says so.

The owner may. For others the project's ``SUBSCRIPTION_AUTHORIZER`` is asked, about watching only: a colleague
allowed to look at a task is not thereby allowed to end it. Staff have no right of their own here: their permissions
count in the admin only (``staff.watching`` says why). Without an answer: no.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from inspect import isawaitable
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.utils.module_loading import import_string

from channels_progress.audiences import find_audience, find_audiences, is_broadcast_channel, is_whole_audience
from channels_progress.conf import get_settings
from channels_progress.events import TASK_CHANNEL_PREFIX, list_channel, task_channel
from channels_progress.exceptions import ChannelWithoutObject, StoreUnavailable
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


def may_watch_found(viewer: Viewer, uid: str, record: TaskRecord | None) -> bool:
    """As ``may_watch``, once the store has been read.

    No record takes the same questions as somebody else's: else the time of a refusal would say which tasks exist.
    """
    return not viewer.is_locked_out and (_is_owner(viewer, record) or _is_authorized(viewer.user, task_channel(uid)))


def may_subscribe(viewer: Viewer, channel: str) -> bool:
    """Whether the viewer may subscribe to this channel by themselves: it is their own, or the authorizer allows it.

    Channels whose audience is switched off are not allowed, whatever it says.

    Raises:
        StoreUnavailable: It is a task's, and the store did not answer.
    """
    if uid := _find_uid(channel):
        return may_watch(viewer, uid)
    decided = _decide(viewer, channel)
    return _is_authorized(viewer.user, channel) if decided is None else decided


async def amay_subscribe(viewer: Viewer, channel: str) -> bool:
    """As ``may_subscribe``, without blocking the event loop."""
    if uid := _find_uid(channel):
        return await amay_watch(viewer, uid)
    decided = _decide(viewer, channel)
    return await sync_to_async(_is_authorized)(viewer.user, channel) if decided is None else decided


async def afind_allowed(viewer: Viewer, channels: Iterable[str]) -> list[str]:
    """Those of these channels that the viewer may subscribe to; the authorizer is asked once for each.

    A task's is not among them while the store does not answer.
    """
    allowed = []
    for channel in channels:
        with suppress(StoreUnavailable):
            if await amay_subscribe(viewer, channel):
                allowed.append(channel)
    return allowed


def _find_uid(channel: str) -> str:
    return channel.removeprefix(TASK_CHANNEL_PREFIX) if channel.startswith(TASK_CHANNEL_PREFIX) else ""


def _decide(viewer: Viewer, channel: str) -> bool | None:
    """The answer, where nobody need be asked for it; else None. For channels other than tasks'."""
    if viewer.is_locked_out:
        return False
    if not is_broadcast_channel(channel):
        return channel in map(list_channel, viewer.owner_keys)
    audience = find_audience(channel)
    if not audience.is_enabled:
        return False
    if audience in find_audiences(viewer):
        return True
    return False if is_whole_audience(audience) else None


async def amay_watch(viewer: Viewer, task: str | TaskRecord) -> bool:
    """As ``may_watch``, without blocking the event loop."""
    if viewer.is_locked_out:
        return False
    # Not thread-sensitive: while the store is frozen this must not hold the one thread that all ORM calls share.
    record = await sync_to_async(_find_record, thread_sensitive=False)(task)
    return _is_owner(viewer, record) or await sync_to_async(_is_authorized)(viewer.user, _channel_of(task))


def may_cancel(viewer: Viewer, record: TaskRecord | None) -> bool:
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
        if user is None and apps.is_installed("django.contrib.auth"):
            # What every authorizer is written for.
            user = import_string("django.contrib.auth.models.AnonymousUser")()
        ask = import_string(authorizer) if isinstance(authorizer, str) else authorizer
        answer = _finish(ask(user, channel))
    except (ChannelWithoutObject, ObjectDoesNotExist):
        # Any page can ask for a name that means nothing: no fault of the authorizer's, and nothing to fill logs with.
        return False
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
