"""Whatever pool a worker has: tasks at once report, are cancelled, and end truly; and the worker ends when told to."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from signal import SIGTERM
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import TaskRevokedError
from channels.layers import get_channel_layer

from channels_progress.exceptions import NotTerminated
from channels_progress.records import CancelOutcome, Snapshot, TaskState
from channels_progress.store import get_store
from channels_progress.tasks import handles
from tests.channel_layers import CORE, PUBSUB, make_layers
from tests.live.rig import Rig, ServerProcess
from tests.pools import tasks
from tests.pools.tasks import LINES, THREADS
from tests.waiting import WITHIN_S, await_until, wait_until

pytestmark = pytest.mark.live

AwaitAll = Callable[[list[Any], TaskState], None]
PROGRESS, SUCCESS, REVOKED = TaskState.PROGRESS, TaskState.SUCCESS, TaskState.REVOKED


@pytest.fixture
def gate() -> str:
    return uuid.uuid4().hex


def read(handle: Any) -> Snapshot:
    snapshot = get_store().read(handle.id)
    assert snapshot
    return snapshot


def summarize(handle: Any) -> tuple[Any, ...]:
    """How it stands: state, attempt, reason, count, messages."""
    snapshot = read(handle)
    record, texts = snapshot.record, [message.text for message in snapshot.messages]
    return record.state, record.attempt, record.reason, record.body.get("current"), texts


def await_count(handle: Any, count: int) -> None:
    wait_until(lambda: (read(handle).record.body.get("current") or 0) >= count, message=f"{handle.id} counts {count}")


def test_tasks_at_once_report_everything(await_all: AwaitAll, concurrency: int, rig: Rig, gate: str) -> None:
    sent = [tasks.report.delay(gate) for _ in range(concurrency)]
    for handle in sent:
        await_count(handle, len(LINES))
    assert [summarize(handle) for handle in sent] == [(PROGRESS, 1, "", len(LINES), LINES)] * concurrency
    beat = read(sent[0]).record.heartbeat_at
    wait_until(lambda: read(sent[0]).record.heartbeat_at > beat, message="a heartbeat while the task waits")
    rig.open_gate(gate)
    await_all(sent, SUCCESS)
    assert [summarize(handle) for handle in sent] == [(SUCCESS, 1, "", 2 * len(LINES), LINES)] * concurrency


def test_cancel_reaches_each_of_them(await_all: AwaitAll, concurrency: int) -> None:
    sent = [tasks.clean_up.delay() for _ in range(concurrency)]
    await_all(sent, PROGRESS)
    assert {handle.cancel(reason="Enough") for handle in sent} == {CancelOutcome.CANCELLING}
    await_all(sent, REVOKED)
    assert [summarize(handle) for handle in sent] == [(REVOKED, 1, "Enough", 1, ["Undone: Enough"])] * concurrency
    with pytest.raises(TaskRevokedError, match="Enough"):
        sent[0].get(timeout=WITHIN_S)
    assert sent[0].cancel(reason="Again") is CancelOutcome.ENDED


def test_busy_task_shows_what_it_does_and_can_be_cancelled(await_all: AwaitAll, concurrency: int) -> None:
    busy = [tasks.compute.delay() for _ in range(min(concurrency, 2))]
    for handle in busy:
        await_count(handle, 100)
    former = [read(handle).record for handle in busy]
    for handle, record in zip(busy, former, strict=True):
        await_count(handle, record.body["current"] + 1)
        handle.cancel(reason="Too long")
    await_all(busy, REVOKED)
    assert [summarize(handle)[:3] for handle in busy] == [(REVOKED, 1, "Too long")] * len(busy)


def test_threads_of_a_task_lose_nothing(await_all: AwaitAll, rig: Rig, gate: str) -> None:
    handle = tasks.spread.delay(gate)
    await_count(handle, THREADS * len(LINES))
    rig.open_gate(gate)
    await_all([handle], SUCCESS)
    state, attempt, reason, count, texts = summarize(handle)
    assert (state, attempt, reason, count) == (SUCCESS, 1, "", 2 * THREADS * len(LINES))
    assert sorted(texts) == sorted(LINES * THREADS)


def test_threads_of_a_task_learn_of_a_cancel(await_all: AwaitAll) -> None:
    handle = tasks.spread.delay("never")
    await_count(handle, THREADS * len(LINES))
    handle.cancel(reason="Enough")
    await_all([handle], REVOKED)
    assert summarize(handle)[:4] == (REVOKED, 1, "Enough", THREADS * len(LINES))


def test_task_that_ignores_a_cancel_is_terminated_where_the_pool_can(
    await_all: AwaitAll, pool: str, rig: Rig, gate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = tasks.ignore_cancel.delay(gate)
    await_all([handle], PROGRESS)
    assert handle.cancel(reason="Stuck") is CancelOutcome.CANCELLING
    # Nobody is waited for in vain, and a busy machine is no reason to fail.
    monkeypatch.setattr(handles, "ANSWER_WITHIN_S", 1.0 if pool == "solo" else WITHIN_S)
    if pool in {"prefork", "gevent"}:
        assert handle.cancel(terminate=True) is CancelOutcome.CANCELLING
        await_all([handle], REVOKED)
        assert summarize(handle) == (REVOKED, 1, "Stuck", 1, [])
        return
    problem = {"threads": "has a pool that cannot do that", "solo": "has not answered"}[pool]
    with pytest.raises(NotTerminated, match=problem):
        handle.cancel(terminate=True)
    assert (read(handle).record.cancelling, summarize(handle)[0]) == (True, PROGRESS)
    rig.open_gate(gate)
    await_all([handle], SUCCESS)


@pytest.mark.parametrize("backend", [PUBSUB, CORE], ids=["pubsub", "core"])
async def test_broadcasts_of_threads_arrive_in_order(
    celery_app: Celery, pool: str, backend: str, redis_url: str, settings: Any
) -> None:
    settings.CHANNEL_LAYERS = make_layers(backend, redis_url)
    layer, groups = get_channel_layer(), [uuid.uuid4().hex for _ in range(THREADS)]
    channels = [await layer.new_channel() for _ in groups]
    for group, channel in zip(groups, channels, strict=True):
        await layer.group_add(group, channel)

    async def hear(channel: str) -> list[str]:
        return [(await layer.receive(channel))["text"] for _ in LINES]

    sent = tasks.broadcast.delay(backend, redis_url, groups)
    async with asyncio.timeout(WITHIN_S):
        assert await asyncio.gather(*map(hear, channels)) == [LINES] * THREADS
    await await_until(sent.ready)
    assert sent.get() == [[len(LINES)] * THREADS, pool != "gevent"]


# The last one: it leaves no worker.
def test_warm_shutdown_waits_for_the_tasks_and_nothing_else(
    worker: ServerProcess, celery_app: Celery, await_all: AwaitAll, concurrency: int, rig: Rig, gate: str
) -> None:
    sent = [tasks.report.delay(gate) for _ in range(concurrency)]
    await_all(sent, PROGRESS)
    start = len(worker.log)
    worker.send_signal(SIGTERM)
    wait_until(lambda: "Warm shutdown" in worker.log[start:])
    rig.open_gate(gate)
    assert worker.wait() == 0
    assert [summarize(handle) for handle in sent] == [(SUCCESS, 1, "", 2 * len(LINES), LINES)] * concurrency
