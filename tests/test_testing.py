"""What we ship for the tests of projects."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery, current_app
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings

from channels_progress.exceptions import TaskCancelled
from channels_progress.records import Message, TaskState
from channels_progress.store.memory import MemoryStore
from channels_progress.tasks.decorator import broadcast_task
from channels_progress.testing import Recorded, RecordingReporter, progress_in_memory


def import_cities(reporter: Any, rows: list[str]) -> int:
    with reporter.stage("Read"):
        for row in reporter.track(rows, "Reading", unit="row"):
            if not row:
                reporter.message("Skipped a row without a name", level="warning")
    reporter.redirect("/cities/")
    return len(rows)


def test_a_recording_reporter_remembers_all_of_it() -> None:
    reporter = RecordingReporter(title="Import")
    assert import_cities(reporter, ["Ulm", ""]) == 2
    assert reporter.recorded == Recorded(
        body={
            "title": "Import", "message": "Reading", "unit": "rows", "current": 2, "total": 2, "fraction": 1.0,
            "stage": {"name": "Read", "index": 1, "count": None, "declared": False}, "redirect": "/cities/",
        },
        messages=(Message("warning", "Skipped a row without a name"),),
        stages=("Read",),
    )  # fmt: skip
    assert reporter.texts == ["Skipped a row without a name"]


def test_a_recording_reporter_can_be_cancelled() -> None:
    reporter = RecordingReporter()
    reporter.cancel("Stop")
    with pytest.raises(TaskCancelled, match="Stop"):
        import_cities(reporter, ["Ulm"])


def test_a_task_runs_where_it_is_sent_and_its_record_is_in_memory() -> None:
    app = Celery("test_testing", set_as_current=False)
    task: Any = broadcast_task(import_cities, app=app, name="testing.import_cities")
    with progress_in_memory(app) as store:
        assert isinstance(store, MemoryStore)
        handle = task.for_user(User(pk=7)).delay(["Ulm", ""])
        snapshot = store.read(handle.id)
    assert snapshot
    assert (snapshot.record.state, snapshot.record.owner, handle.get()) == (TaskState.SUCCESS, "user:7", 2)
    assert [message.text for message in snapshot.messages] == ["Skipped a row without a name"]


def test_an_error_of_the_task_reaches_the_test() -> None:
    app = Celery("test_testing", set_as_current=False)

    @broadcast_task(app=app, name="fail")
    def fail(reporter: Any) -> None:
        raise OSError("gone")

    with progress_in_memory(app), pytest.raises(OSError, match="gone"):
        fail.delay()


def test_everything_is_as_before_afterwards(settings: Settings) -> None:
    app = Celery("test_testing", set_as_current=False)
    before = settings.CHANNELS_PROGRESS = {"STORE": "redis://nobody.invalid", "NAMESPACE": "mine"}
    with progress_in_memory(app) as first:
        during = settings.CHANNELS_PROGRESS
        assert during == before | {"STORE": "memory"}
        assert app.conf.task_always_eager
    with progress_in_memory(app) as second:
        assert second is not first
    assert (settings.CHANNELS_PROGRESS, app.conf.task_always_eager) == (before, False)


@progress_in_memory()
def test_it_is_a_decorator_too() -> None:
    assert current_app.conf.task_always_eager
