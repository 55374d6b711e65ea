"""A real worker of each of Celery's pools, one after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery

from channels_progress.records import TaskState
from channels_progress.store import get_store
from tests.live.rig import Rig, ServerProcess
from tests.waiting import PATIENT, wait_until

#: How many tasks each runs at once.
CONCURRENCY = {"prefork": 3, "threads": 8, "solo": 1, "gevent": 100}
# A hundred tasks on a machine that does much else.
WITHIN_S = 60.0


@pytest.fixture(
    scope="session", params=[pytest.param(name, marks=pytest.mark.xdist_group(f"pool-{name}")) for name in CONCURRENCY]
)
def pool(request: pytest.FixtureRequest) -> str:
    """The name of the pool."""
    return str(request.param)


@pytest.fixture(scope="session")
def concurrency(pool: str) -> int:
    """How many tasks it runs at once."""
    return CONCURRENCY[pool]


@pytest.fixture(scope="session")
def rig(pool: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    """What worker and tests share."""
    return Rig(
        folder=tmp_path_factory.mktemp(pool),
        broker_url=redis_url,
        result_backend=redis_url,
        progress={"STORE": redis_url, "HEARTBEAT_S": 0.5, "REPORT_INTERVAL_S": 0.05, **PATIENT},
        celery={"imports": ["tests.pools.tasks"]},
    )


@pytest.fixture(scope="session")
def running_worker(rig: Rig, pool: str, concurrency: int) -> Iterator[ServerProcess]:
    """A worker with this pool; a test may stop it."""
    with rig.run_worker(pool=pool, concurrency=concurrency) as worker:
        yield worker


@pytest.fixture
def worker(running_worker: ServerProcess) -> Iterator[ServerProcess]:
    """The same, running; what it writes during a test stands in its report where it fails."""
    if not running_worker.is_running:
        running_worker.restart()
    start = len(running_worker.log)
    yield running_worker
    sys.stdout.write(running_worker.log[start:])


@pytest.fixture
def celery_app(worker: ServerProcess, rig: Rig) -> Iterator[Celery]:
    """The test process's side: same broker, same results, same store."""
    with rig.joined() as app:
        yield app


@pytest.fixture
def await_all(celery_app: Celery) -> Callable[..., None]:
    """Wait until all these tasks are in this state."""

    def await_all(handles: list[Any], state: TaskState) -> None:
        uids = [handle.id for handle in handles]

        def look() -> bool:
            return all(version and version.state is state for version in get_store().versions(uids))

        wait_until(look, within_s=WITHIN_S, message=f"all are {state}")

    return await_all
