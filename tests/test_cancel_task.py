"""``manage.py cancel_task``: what it asks for, what it says, and what to write instead."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from io import StringIO
from unittest import mock

import pytest
from django.core.management import CommandError, call_command

from channels_progress.exceptions import NotTerminated, StoreUnavailable
from channels_progress.records import CancelOutcome, TaskState
from channels_progress.store import Store
from channels_progress.tasks import TaskHandle
from channels_progress.testing import progress_in_memory


@pytest.fixture
def store() -> Iterator[Store]:
    with progress_in_memory() as store:
        store.create("a", owner="user:1", body="{}")
        yield store


def cancel(*arguments: str) -> str:
    out = StringIO()
    call_command("cancel_task", *arguments, stdout=out)
    return out.getvalue()


def begin(store: Store) -> None:
    store.begin("a", delivery="d", owner="user:1", body="{}")


def test_waiting_task_is_cancelled_with_the_reason(store: Store) -> None:
    assert cancel("a", "--reason", " Wrong file ") == "Task a was cancelled before a worker began with it.\n"
    record = store.read("a").record
    assert (record.state, record.reason) == (TaskState.REVOKED, "Wrong file")
    assert cancel("a") == "Task a had already ended: nothing has changed.\n"
    assert store.read("a").record == record


def test_running_task_is_asked_to_stop(store: Store) -> None:
    begin(store)
    assert cancel("a", "--reason=Enough") == "Task a has been asked to stop: it does so when it next reports.\n"
    record = store.read("a").record
    assert (record.state, record.cancelling, record.reason) == (TaskState.STARTED, True, "Enough")


def test_unknown_task_and_missing_store_say_what_to_do(store: Store) -> None:
    with pytest.raises(CommandError, match=r"There is no task 'b'. Write the id that stands on its page"):
        cancel("b")
    with (
        mock.patch.object(type(store), "request_cancel", side_effect=StoreUnavailable("It is away.")),
        pytest.raises(CommandError, match=r"try `manage.py progress_doctor`. It is away."),
    ):
        cancel("a")


def test_terminate_asks_the_worker_and_tells_where_it_could_not(store: Store) -> None:
    with mock.patch.object(TaskHandle, "cancel", return_value=CancelOutcome.CANCELLING) as asked:
        assert cancel("a", "--terminate", "--reason", "Stuck") == "Task a was stopped.\n"
    assert asked.call_args.kwargs == {"reason": "Stuck", "terminate": True}
    with (
        mock.patch.object(TaskHandle, "cancel", side_effect=NotTerminated("Its pool cannot.")),
        pytest.raises(CommandError, match=r"Its pool cannot. It has been asked to stop"),
    ):
        cancel("a", "--terminate")


def test_terminate_without_celery_names_the_extra(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "celery", None)
    monkeypatch.delitem(sys.modules, "channels_progress.tasks")
    with pytest.raises(CommandError, match=r"pip install 'channels-progress\[celery\]'"):
        cancel("a", "--terminate")
