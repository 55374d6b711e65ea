"""The doctor sees a real worker, and whether it runs the same code."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery

from channels_progress.management.diagnosis import Status, diagnose
from channels_progress.management.steps import STEPS
from channels_progress.tasks import broadcast_task, probe

CELERY_STEPS = [step for step in STEPS if step.name in ("celery", "worker")]


def test_running_worker_is_seen_and_one_with_other_code_told_apart(
    celery_worker_app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Shared tasks of other tests' modules are in every app of this process.
    list_all = probe.list_broadcast_tasks
    ours = ("tests.worker.", "only_here")
    monkeypatch.setattr(probe, "list_broadcast_tasks", lambda: [name for name in list_all() if name.startswith(ours)])
    known, worker = diagnose(CELERY_STEPS)
    assert (known.status, worker.status) == (Status.OK, Status.OK)
    assert worker.detail.startswith("celery@")

    @broadcast_task(app=celery_worker_app, name="only_here")
    def only_here(reporter: Any) -> None: ...

    celery_worker_app.tasks["only_here"]
    try:
        _, behind = diagnose(CELERY_STEPS)
    finally:
        celery_worker_app.tasks.unregister("only_here")
    assert (behind.status, behind.detail) == (Status.FAILED, f"{worker.detail} answered, but without only_here")
