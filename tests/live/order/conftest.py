"""One worker and one site for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.rig import Rig, ServerProcess, Site
from tests.waiting import PATIENT

# Nothing here is silent for so long, unless its clock says so.
PROGRESS = {
    "HEARTBEAT_S": 0.2, "REPORT_INTERVAL_S": 0.02, "RESYNC_S": 0.5, "STALLED_AFTER_S": 30, "LOST_AFTER_S": 60,
}  # fmt: skip


@pytest.fixture(scope="module")
def rig(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A rig that this process has joined."""
    rig = Rig(
        folder=tmp_path_factory.mktemp("order"), broker_url=redis_url, result_backend=redis_url,
        progress={"STORE": redis_url, **PROGRESS, **PATIENT}, celery={"imports": ["tests.live.order.tasks"]},
    )  # fmt: skip
    with rig.joined():
        yield rig


@pytest.fixture(scope="module")
def worker(rig: Rig) -> Iterator[ServerProcess]:
    with rig.run_worker(concurrency=3) as worker:
        yield worker


@pytest.fixture(scope="module")
def site(rig: Rig) -> Iterator[Site]:
    with rig.run_site() as site:
        yield site
