"""Tasks of ours that beat can run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from celery import Celery

from channels_progress import inbox
from channels_progress.audiences import ALL
from channels_progress.broadcast_events import message_event
from channels_progress.store import get_store
from channels_progress.tasks.jobs import prune_notifications, purge
from tests.waiting import wait_until


def test_beat_can_purge_by_name(app: Celery, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": "memory", "RECORD_TTL_S": 0.05}
    store = get_store()
    for uid in "abc":
        store.begin(uid, delivery="d", owner="", body="{}")
    wait_until(lambda: store.versions([*"abc"]) == [None] * 3)
    assert app.tasks["channels_progress.purge"].name == purge.name
    assert [purge.delay().get(), purge()] == [3, 0]


@pytest.mark.django_db
def test_beat_can_prune_notifications_by_name(app: Celery) -> None:
    inbox.store(ALL, message_event("old"), timedelta(0))
    assert app.tasks["channels_progress.prune_notifications"].name == prune_notifications.name
    assert [prune_notifications.delay().get(), prune_notifications()] == [1, 0]
