"""pytest-celery's clusters, of processes: its own fixtures, which need Docker, are not asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from pytest_celery import (
    CeleryBackendCluster,
    CeleryBrokerCluster,
    CeleryTestBackend,
    CeleryTestBroker,
    CeleryTestWorker,
    CeleryWorkerCluster,
)

from tests.live.nodes.containers import ProcessContainer, run_redis
from tests.live.rig import Rig, Site

QUICK = {"HEARTBEAT_S": 0.2, "RESYNC_S": 0.5, "STALLED_AFTER_S": 2, "LOST_AFTER_S": 6}


@pytest.fixture
def celery_broker_cluster(tmp_path: Path) -> Iterator[CeleryBrokerCluster]:
    """A Redis that the store does not know."""
    with run_redis("broker", tmp_path) as container:
        yield CeleryBrokerCluster(CeleryTestBroker(container))


@pytest.fixture
def celery_backend_cluster(tmp_path: Path) -> Iterator[CeleryBackendCluster]:
    """A Redis for results, and for the store."""
    with run_redis("backend", tmp_path) as container:
        yield CeleryBackendCluster(CeleryTestBackend(container))


@pytest.fixture
def rig(
    celery_broker_cluster: CeleryBrokerCluster, celery_backend_cluster: CeleryBackendCluster, tmp_path: Path
) -> Rig:
    (broker_url,) = celery_broker_cluster.config()["host_urls"]
    (backend_url,) = celery_backend_cluster.config()["host_urls"]
    return Rig(
        folder=tmp_path,
        broker_url=broker_url,
        result_backend=backend_url,
        progress={"STORE": backend_url, **QUICK},
        # A worker that connects to Redis takes what has been unacknowledged for longer than this.
        celery={"broker_transport_options": {"visibility_timeout": 1}},
    )


@pytest.fixture
def celery_setup_app(rig: Rig) -> Iterator[Celery]:
    """The rig's, which is that of this process as long as the test runs."""
    with rig.joined() as app:
        yield app


@pytest.fixture
def celery_worker_cluster(rig: Rig, celery_setup_app: Celery) -> Iterator[CeleryWorkerCluster]:
    """One worker, which starts while others do: ``site`` waits for it."""
    with rig.run_worker(wait=False) as worker:
        yield CeleryWorkerCluster(CeleryTestWorker(ProcessContainer("worker", worker), celery_setup_app))


@pytest.fixture
def site(rig: Rig, celery_worker_cluster: CeleryWorkerCluster) -> Iterator[Site]:
    """A server that starts while the worker does; both are ready."""
    with rig.run_site() as site:
        assert celery_worker_cluster.ready()
        yield site
