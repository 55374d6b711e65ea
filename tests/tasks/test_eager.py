"""``task_always_eager``: tasks that run in the process that sends them, wherever in it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from celery import Celery
from celery._state import _set_task_join_will_block
from celery.exceptions import TaskRevokedError
from django.db import transaction
from pytest_django.fixtures import Settings

from channels_progress.records import CancelOutcome, TaskState
from channels_progress.store import get_store
from channels_progress.tasks import broadcast_task, get_handle
from tests.waiting import WITHIN_S

ROWS = 50


@broadcast_task(name="eager.count")
def count(reporter: Any) -> int:
    for _ in reporter.track(range(ROWS)):
        pass
    reporter.message("Counted")
    return ROWS


@broadcast_task(name="eager.cancel_itself", bind=True)
def cancel_itself(self: Any, reporter: Any) -> None:
    assert get_handle(self.request.id).cancel(reason="Enough") is CancelOutcome.CANCELLING
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        reporter.advance()


@pytest.fixture(autouse=True)
def quick(settings: Settings) -> Iterator[None]:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "REPORT_INTERVAL_S": 0.02}
    yield
    # One flag for all threads: eager tasks that overlap can leave Celery believing that it is inside of one.
    _set_task_join_will_block(False)


def summarize(handle: Any) -> tuple[TaskState, int, list[str]]:
    snapshot = get_store().read(handle.id)
    assert snapshot
    return snapshot.record.state, snapshot.record.body["current"], [message.text for message in snapshot.messages]


COUNTED = (TaskState.SUCCESS, ROWS, ["Counted"])


def list_flushers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "channels_progress.flusher"]


@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_that_is_rolled_back(app: Celery) -> None:
    with transaction.atomic():
        handle = count.delay()
        assert summarize(handle) == COUNTED
        transaction.set_rollback(True)
    assert summarize(handle) == COUNTED


async def test_inside_an_async_view(app: Celery) -> None:
    assert summarize(count.delay()) == COUNTED
    send = sync_to_async(count.delay, thread_sensitive=False)
    handles = await asyncio.gather(*(send() for _ in range(20)))
    assert [summarize(handle) for handle in handles] == [COUNTED] * 20


async def test_all_of_a_process_share_one_thread(app: Celery) -> None:
    count.delay()
    before = list_flushers()
    send = sync_to_async(count.delay, thread_sensitive=False)
    await asyncio.gather(*(send() for _ in range(20)))
    assert list_flushers() == before


def test_cancelled_while_it_runs(app: Celery) -> None:
    handle = cancel_itself.delay()
    record = get_store().read(handle.id).record
    assert (handle.state, record.state, record.reason) == ("REVOKED", TaskState.REVOKED, "Enough")
    with pytest.raises(TaskRevokedError, match="Enough"):
        handle.get()
    assert handle.cancel(terminate=True) is CancelOutcome.ENDED
