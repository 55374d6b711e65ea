"""Many tasks at once: ends that meet the page's subscribe, and noise beside a task that has little to say."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import pytest

from channels_progress.records import TaskState
from channels_progress.store import get_store
from tests.live.order import tasks
from tests.live.rig import Rig, ServerProcess, Site

pytestmark = pytest.mark.xdist_group("order")

PAGES, TASKS_PER_PAGE = 10, 50
# Of seconds: from 0.1 ms to 0.1 s.
EXPONENTS = -4, -1
NOISY, THREADS, REPORTS = 2, 4, 10_000
LINES = 60


@pytest.fixture
def patient_site(rig: Rig) -> Iterator[Site]:
    """Whose pages would wait long for a resync."""
    with replace(rig, progress={**rig.progress, "RESYNC_S": 600}).run_site(name="patient") as site:
        yield site


def follow_to_the_end(site: Site, number: int) -> set[str]:
    """Follow one task after another, each of which ends just then; those that were seen to end."""
    moments, store = random.Random(number), get_store()
    uids = [f"ending-{number}-{task}" for task in range(TASKS_PER_PAGE)]
    for uid in uids:
        store.begin(uid, delivery=uid, owner="", body="{}")
    with site.open_page(uids[0]) as page:
        for uid in uids:
            page.add(uid)
            # About when the server joins and reads, however fast it is.
            Event().wait(10 ** moments.uniform(*EXPONENTS))
            assert store.finish(uid, TaskState.SUCCESS, delivery=uid).accepted
        for uid in uids:
            page.wait_for(uid, "SUCCESS")
    assert page.opened == 1
    return set(uids)


def test_no_end_is_missed_around_the_subscribe(patient_site: Site) -> None:
    with ThreadPoolExecutor(PAGES) as people:
        followed = list(people.map(lambda number: follow_to_the_end(patient_site, number), range(PAGES)))
    assert len(set().union(*followed)) == PAGES * TASKS_PER_PAGE


def test_noise_beside_a_quiet_task_costs_it_nothing(rig: Rig, worker: ServerProcess, site: Site) -> None:
    noise = [tasks.noisy.delay(THREADS, REPORTS) for _ in range(NOISY)]
    with site.open_page(*(each.id for each in noise)) as page:
        for each in noise:
            page.wait_for(each.id, "PROGRESS", "SUCCESS")
        handle = tasks.quiet.delay(LINES)
        page.add(handle.id)
        for each in (handle, *noise):
            page.wait_for(each.id, "SUCCESS")
        said = list(page.tasks[handle.id].messages.values())
        shown = [page.tasks[each.id].state["current"] for each in noise]
    assert said == [f"line {number}" for number in range(1, LINES + 1)]
    assert (shown, page.opened) == ([THREADS * REPORTS] * NOISY, 1)
