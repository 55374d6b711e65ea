"""Celery tasks that look after records and stored messages, for Celery beat.

Every worker that knows a task of ours knows them.
"""

from __future__ import annotations

from collections import Counter

from celery import shared_task

from channels_progress.inbox import prune
from channels_progress.store import get_store
from channels_progress.store.purging import purge_store
from channels_progress.tasks.reconciler import reconcile_tasks


@shared_task(name="channels_progress.reconcile", ignore_result=True)
def reconcile() -> dict[str, int]:
    """End tasks that ended unseen, where the result backend knows how; how many were ended, left, and failed.

    What ``manage.py reconcile_tasks`` does, for beat. Each looks at no more than it can in half a minute.
    """
    return Counter(found.outcome.value for found in reconcile_tasks())


@shared_task(name="channels_progress.purge", ignore_result=True)
def purge() -> int:
    """Remove the records that have expired, which only the database store needs; how many there were.

    What ``manage.py purge_tasks`` does, for beat.
    """
    return purge_store(get_store())


@shared_task(name="channels_progress.prune_notifications", ignore_result=True)
def prune_notifications() -> int:
    """Remove the stored messages and the notifications of inboxes that have expired; how many there were.

    What ``manage.py prune_notifications`` does, for beat.
    """
    return prune()
