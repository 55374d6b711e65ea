"""One real prefork worker for all tests here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery

from channels_progress.records import TaskRecord, TaskState
from channels_progress.store import get_store
from tests.live.rig import Rig, ServerProcess
from tests.waiting import PATIENT, WITHIN_S, wait_until


@pytest.fixture(scope="session")
def rig(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    """What worker and tests share."""
    return Rig(
        folder=tmp_path_factory.mktemp("worker"),
        broker_url=redis_url,
        result_backend=redis_url,
        progress={"STORE": redis_url, "HEARTBEAT_S": 0.2, "REPORT_INTERVAL_S": 0.02, **PATIENT},
    )


@pytest.fixture(scope="session")
def worker(rig: Rig) -> Iterator[ServerProcess]:
    """A running worker."""
    with rig.run_worker() as worker:
        yield worker


@pytest.fixture
def celery_worker_app(worker: ServerProcess, rig: Rig) -> Iterator[Celery]:
    """The test process's side: same broker, same results, same store."""
    with rig.joined() as app:
        yield app


@pytest.fixture(autouse=True)
def show_worker_log(worker: ServerProcess) -> Iterator[None]:
    """What the worker wrote during a test stands in its report where it fails."""
    start = len(worker.log)
    yield
    sys.stdout.write(worker.log[start:])


@pytest.fixture
def open_gate(rig: Rig) -> Callable[[str], None]:
    """Lets a task go on that waits at the gate of this name."""
    return rig.open_gate


@pytest.fixture
def await_state(celery_worker_app: Celery) -> Callable[..., TaskRecord]:
    """Wait until the record of a task has one of these states, and return it."""

    def await_state(handle: Any, *expected: TaskState, within_s: float = WITHIN_S) -> TaskRecord:
        def look() -> TaskRecord | None:
            snapshot = get_store().read(handle.id)
            return snapshot.record if snapshot and snapshot.record.state in expected else None

        found = wait_until(look, within_s=within_s, message=f"{handle.id} is none of {expected}")
        assert found
        return found

    return await_state
