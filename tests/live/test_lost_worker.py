"""A worker that is killed whole, with everything it was doing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from channels_progress.records import Liveness, TaskState
from channels_progress.tasks.reconciler import Outcome, Reconciled, reconcile_tasks
from tests.live.rig import Rig
from tests.waiting import PATIENT, wait_until
from tests.worker import tasks

pytestmark = pytest.mark.xdist_group("faults")
QUICK = {
    **PATIENT,
    "HEARTBEAT_S": 0.2,
    "REPORT_INTERVAL_S": 0.02,
    "RESYNC_S": 0.5,
    "STALLED_AFTER_S": 2,
    "LOST_AFTER_S": 6,
}
OPEN, ENDED = "the result backend has no result", TaskState.SUCCESS


@pytest.fixture
def rig(redis_url: str, tmp_path: Path) -> Rig:
    return Rig(folder=tmp_path, broker_url=redis_url, result_backend=redis_url, progress={"STORE": redis_url, **QUICK})


def test_lost_tasks_are_ended_on_evidence_and_redelivered_ones_run_again(rig: Rig) -> None:
    with rig.joined(), rig.run_site() as site, rig.run_worker(concurrency=3) as worker:
        late, early = tasks.wait_late.delay("late"), tasks.wait.delay("early")
        with site.open_page(late.id, early.id) as page:
            for handle in (late, early):
                page.wait_for(handle.id, "PROGRESS")
            # Kills the worker once its own result is stored.
            stored = tasks.die_once_stored.delay("worker")
            page.add(stored.id)
            wait_until(lambda: not worker.is_running)
            for handle in (late, early, stored):
                page.wait_for(handle.id, Liveness.LOST)
            assert page.tasks[late.id].history[-2:] == [(1, "PROGRESS", "stalled"), (1, "PROGRESS", "lost")]
            found = {each.uid: each for each in reconcile_tasks()}
            assert found == {
                late.id: Reconciled(late.id, Outcome.LEFT, why=OPEN),
                early.id: Reconciled(early.id, Outcome.LEFT, why=OPEN),
                stored.id: Reconciled(stored.id, Outcome.ENDED, ENDED),
            }
            page.wait_for(stored.id, ENDED)
            # Redis gives back what is longer unacknowledged than this.
            again = replace(rig, celery={"broker_transport_options": {"visibility_timeout": 3}})
            with again.run_worker(name="again"):
                wait_until(lambda: page.tasks[late.id].seen.attempt == 2)
                rig.open_gate("late")
                page.wait_for(late.id, ENDED)
            first, *_, last = [entry for entry in page.tasks[late.id].history if entry[0] == 2]
            assert (first[2], last) == ("live", (2, "SUCCESS", None))
            # Nobody can know what became of it, and nobody makes it up.
            assert page.tasks[early.id].history[-1] == (1, "PROGRESS", "lost")
            frame = site.read_state(early.id)
            assert frame
            assert (frame["attempt"], frame["state"]["liveness"]) == (1, "lost")
