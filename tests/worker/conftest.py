"""One real prefork worker for all tests here."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery, _state

from channels_progress.records import TaskRecord, TaskState
from channels_progress.store import get_store
from tests.waiting import wait_until
from tests.worker.app import app as worker_app
from tests.worker.app import configure

ROOT = Path(__file__).parents[2]
CONCURRENCY = 2


@pytest.fixture(scope="session")
def namespace() -> str:
    """Keeps this run's keys apart from others in the same Redis."""
    return f"worker-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def worker(redis_url: str, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running worker process; the path of its log."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.worker.settings",
        "TEST_REDIS_URL": redis_url,
        "TEST_NAMESPACE": namespace,
    }
    arguments = ["-A", "tests.worker.app", "worker", "-P", "prefork", "-c", str(CONCURRENCY), "-l", "INFO"]
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", *arguments, "--without-gossip", "--without-mingle"],
            cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            wait_until(lambda: " ready." in log.read_text() or process.poll() is not None, within_s=30)
            assert process.poll() is None, log.read_text()
            yield log
        finally:
            _leave_result_backend()
            process.terminate()
            try:
                process.wait(20)
            finally:
                process.kill()
                process.wait(5)


def _leave_result_backend() -> None:
    """Handles that a failed test's traceback keeps alive would unsubscribe after Redis has gone, and raise."""
    results = worker_app.backend.result_consumer
    results.stop()
    results._pubsub = None


@pytest.fixture
def celery_worker_app(worker: Path, redis_url: str, namespace: str, settings: Any) -> Iterator[Celery]:
    """The test process's side: same broker, same results, same store."""
    settings.CHANNELS_PROGRESS = {"STORE": redis_url, "NAMESPACE": namespace}
    configure(worker_app, redis_url, namespace)
    former = _state._tls.current_app
    worker_app.set_current()
    yield worker_app
    _state._tls.current_app = former


@pytest.fixture(autouse=True)
def show_worker_log(request: pytest.FixtureRequest, worker: Path) -> Iterator[None]:
    """What the worker wrote during a test stands in its report where it fails."""
    start = worker.stat().st_size
    yield
    sys.stdout.write(worker.read_text()[start:])


@pytest.fixture
def open_gate(redis_url: str, namespace: str) -> Iterator[Callable[[str], None]]:
    """Lets a task go on that waits at the gate of this name."""
    client = redis.Redis.from_url(redis_url)
    yield lambda gate: client.set(f"{namespace}:gate:{gate}", 1, ex=120)
    client.close()


@pytest.fixture
def await_state(celery_worker_app: Celery) -> Callable[..., TaskRecord]:
    """Wait until the record of a task has one of these states, and return it."""

    def await_state(handle: Any, *expected: TaskState, within_s: float = 10) -> TaskRecord:
        def look() -> TaskRecord | None:
            snapshot = get_store().read(handle.id)
            return snapshot.record if snapshot and snapshot.record.state in expected else None

        found = wait_until(look, within_s=within_s, message=f"{handle.id} is none of {expected}")
        assert found
        return found

    return await_state
