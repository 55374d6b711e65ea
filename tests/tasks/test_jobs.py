"""Tasks of ours that beat can run."""

from __future__ import annotations

from typing import Any

from celery import Celery

from channels_progress.store import get_store
from channels_progress.tasks.jobs import purge
from tests.waiting import wait_until


def test_beat_can_purge_by_name(app: Celery, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": "memory", "RECORD_TTL_S": 0.05}
    store = get_store()
    for uid in "abc":
        store.begin(uid, delivery="d", owner="", body="{}")
    wait_until(lambda: store.versions([*"abc"]) == [None] * 3)
    assert app.tasks["channels_progress.purge"].name == purge.name
    assert [purge.delay().get(), purge()] == [3, 0]
