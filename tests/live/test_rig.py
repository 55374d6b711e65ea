"""The fault rig does what it says: everything else here leans on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.rig import Rig
from tests.stack.processes import is_gone
from tests.waiting import PATIENT, WITHIN_S, wait_until
from tests.worker import tasks

pytestmark = pytest.mark.xdist_group("faults")
QUICK = {
    **PATIENT,
    "HEARTBEAT_S": 0.2,
    "REPORT_INTERVAL_S": 0.02,
    "RESYNC_S": 0.5,
    "STALLED_AFTER_S": 2,
    "LOST_AFTER_S": 4,
}


@pytest.fixture
def rig(redis_url: str, tmp_path: Path) -> Rig:
    return Rig(folder=tmp_path, broker_url=redis_url, result_backend=redis_url, progress={"STORE": redis_url, **QUICK})


def test_frozen_worker_reads_lost_and_goes_on_where_it_was(rig: Rig) -> None:
    with rig.joined(), rig.run_worker() as worker, rig.run_site() as site:
        handle = tasks.wait.delay("frozen")
        with site.open_page(handle.id) as page:
            page.wait_for(handle.id, "PROGRESS")
            worker.freeze()
            page.wait_for(handle.id, "lost")
            worker.resume()
            page.wait_for(handle.id, "live")
            rig.open_gate("frozen")
            page.wait_for(handle.id, "SUCCESS")
        assert site.wait_for_state(handle.id, "SUCCESS")["attempt"] == 1


def test_killed_worker_leaves_nothing_behind_and_starts_again(rig: Rig) -> None:
    with rig.joined(), rig.run_worker() as worker:
        tree = worker.find_tree()
        assert len(tree) == 3
        worker.kill()
        assert all(is_gone(pid) for pid in tree)
        worker.restart()
        assert tasks.add.delay(1, 2).get(timeout=WITHIN_S) == 3
        assert worker.stop() == 0


def test_page_comes_back_to_a_server_that_was_killed(rig: Rig) -> None:
    with rig.joined(), rig.run_site("daphne") as site, site.open_page("t") as page:
        port = site.port
        site.kill()
        site.restart()
        wait_until(lambda: page.opened == 2)
        assert site.port == port
        assert site.read_state("t") is None
        site.freeze()
        pid = site.pid
    assert is_gone(pid)
