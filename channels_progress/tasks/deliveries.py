"""Deliveries as Celery tasks: one message for each, which only names its record.

The record says whether there is anything to do (:mod:`channels_progress.notifications.deliveries`), so messages are
acknowledged early: one that a killed worker had is asked for again by ``deliver_due``, and none is worth keeping.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from celery import current_app, shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone
from kombu.pools import producers

from channels_progress.notifications.deliveries.running import deliver
from channels_progress.notifications.deliveries.sweeping import ask_for_due

#: A request sends no more messages than this by itself; a worker sends the rest.
PUBLISHED_AT_ONCE = 100
_NAMED_AT_ONCE = 1_000
# A connection of the pool may have died unnoticed; a broker that is away is not waited for.
_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
_REDIS = {"redis", "rediss", "sentinel"}
# As long as Celery waits for a connection by default.
_TIMEOUTS = {"socket_timeout": 4.0, "socket_connect_timeout": 4.0}


@shared_task(name="channels_progress.deliver", ignore_result=True, acks_late=False)
def deliver_one(record_id: int) -> str | None:
    """Carry out one delivery, if it waits and is due; how it stands."""
    return deliver(record_id, interruptions=(SoftTimeLimitExceeded,))


@shared_task(name="channels_progress.deliver_many", ignore_result=True, acks_late=False)
def deliver_many(record_ids: list[int], due_at: str) -> None:
    """Send a message for each of these deliveries, so that whoever asked for them need not."""
    _publish_each(deliver_one, [[record_id] for record_id in record_ids], datetime.fromisoformat(due_at))


@shared_task(name="channels_progress.deliver_due", ignore_result=True)
def deliver_due() -> dict[str, int]:
    """Ask for what is due and for what was lost; how many, and how many nobody knows of. For Celery beat."""
    swept = ask_for_due()
    return {"due": swept.due, "unknown": swept.unknown}


def publish(record_ids: Sequence[int], due_at: datetime) -> None:
    """A dispatcher, see ``dispatching``: Celery's workers carry these out when they are due.

    Raises whatever Celery does where the broker does not answer.
    """
    if current_app.conf.task_always_eager and due_at > timezone.now():
        return  # It would be run now. The periodic task has it when it is due.
    if len(record_ids) <= PUBLISHED_AT_ONCE:
        _publish_each(deliver_one, [[record_id] for record_id in record_ids], due_at)
        return
    starts = range(0, len(record_ids), _NAMED_AT_ONCE)
    chunks = [[list(record_ids[start : start + _NAMED_AT_ONCE]), due_at.isoformat()] for start in starts]
    _publish_each(deliver_many, chunks, None)


def _publish_each(task: Any, calls: Sequence[list[Any]], due_at: datetime | None) -> None:
    when = {"eta": due_at} if due_at and due_at > timezone.now() else {}
    with _acquire_producer() as producer:
        for args in calls:
            task.apply_async(args, producer=producer, retry=True, retry_policy=_RETRY_POLICY, **when)


def _acquire_producer() -> AbstractContextManager[Any]:
    """One of Celery's, or for Redis one that ends: there a client waits for ever for a server that does not answer."""
    conf, connection = current_app.conf, current_app.connection_for_write()
    if connection.transport_cls not in _REDIS:
        producer: AbstractContextManager[Any] = current_app.producer_or_acquire()
        return producer
    # Those of the project count more.
    options = {**_TIMEOUTS, **conf.broker_transport_options}
    pool = producers[current_app.connection_for_write(transport_options=options)]
    if pool.limit != current_app.pool.limit:
        pool.limit = current_app.pool.limit
    # Celery 5.5 does not know it.
    timeout = getattr(conf, "broker_pool_acquire_timeout", None)
    acquired: AbstractContextManager[Any] = pool.acquire(block=True, timeout=timeout)
    return acquired
