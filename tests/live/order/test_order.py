"""Two attempts of one task race, reports come after the end, clocks differ: real workers, a real site."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from channels_progress.records import TaskRecord
from channels_progress.store import get_store
from tests.live.order import tasks
from tests.live.rig import Page, Rig, ServerProcess, Site
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("order")

CLOCK = Path(__file__).parent / "clock"
SHIFT_S = 70


def read_record(uid: str) -> TaskRecord:
    snapshot = get_store().read(uid)
    assert snapshot
    return snapshot.record


def shows(page: Page, uid: str, attempt: int, **counters: int) -> None:
    """Wait until the page shows this attempt, with these counters among its own."""

    def look() -> bool:
        seen = page.tasks[uid].seen
        return seen.attempt == attempt and counters.items() <= ((seen.task or {}).get("counters") or {}).items()

    wait_until(look, message=page.tasks[uid])


def hold(rig: Rig, name: str) -> tuple[Any, bytes]:
    """A race whose message no worker gets, unless it is handed out."""
    handle = tasks.race.apply_async((name,), queue="held")
    with redis.Redis.from_url(rig.broker_url) as client:
        return handle, client.lpop(f"{rig.namespace}:held")


def hand_out(rig: Rig, message: bytes) -> None:
    """Again, too, as Redis does with a message that was not acknowledged in time."""
    with redis.Redis.from_url(rig.broker_url) as client:
        client.lpush(f"{rig.namespace}:celery", message)


def has_returned(worker: ServerProcess, uid: str, attempt: int) -> bool:
    return any(uid in line and line.endswith(f": {attempt}") for line in worker.log.splitlines() if "succeeded" in line)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=["older first", "newer first"])
def test_of_two_attempts_that_race_the_newer_one_wins(
    rig: Rig, worker: ServerProcess, site: Site, order: tuple[int, int]
) -> None:
    name = "-".join(map(str, order))
    handle, message = hold(rig, name)
    with site.open_page(handle.id) as page:
        for attempt in (1, 2):
            hand_out(rig, message)
            shows(page, handle.id, attempt, rows=tasks.ROWS)
        for attempt in order:
            rig.open_gate(f"{name}-{attempt}")
            wait_until(lambda: has_returned(worker, handle.id, attempt))  # noqa: B023
            assert read_record(handle.id).state == ("PROGRESS" if (order, attempt) == ((1, 2), 1) else "SUCCESS")
        state = page.wait_for(handle.id, "SUCCESS")
        shown = page.tasks[handle.id]
    assert (shown.seen.attempt, state["current"], state["counters"]["rows"]) == (2, tasks.ROWS, tasks.ROWS)
    assert [attempt for attempt, _, _ in shown.history] == sorted(attempt for attempt, _, _ in shown.history)
    rows = [f"{attempt}: row {row}" for attempt in (1, 2) for row in range(1, tasks.ROWS + 1)]
    assert list(shown.messages.values()) == [*rows, "2: done"]


def test_reports_after_the_end_are_refused(rig: Rig, worker: ServerProcess, site: Site) -> None:
    handle = tasks.talk_on.delay()
    with site.open_page(handle.id) as page:
        page.wait_for(handle.id, "SUCCESS")
        ended, frames = read_record(handle.id), len(page.tasks[handle.id].frames)
        rig.open_gate("talk-on")
        wait_until(lambda: "nobody listens" in worker.log)
        assert replace(read_record(handle.id), seen=ended.seen) == ended
        assert len(page.tasks[handle.id].frames) == frames
        assert page.tasks[handle.id].messages == {}


def shift(rig: Rig, ahead_s: float) -> Rig:
    """The same, for processes whose clock is ahead."""
    path = f"{CLOCK}:{Path(__file__).parents[3]}"
    return replace(rig, env={"PYTHONPATH": path, "CLOCK_AHEAD_S": str(ahead_s)})


def test_clocks_of_workers_and_sites_do_not_matter(rig: Rig) -> None:
    ahead, behind = shift(rig, SHIFT_S), shift(rig, -SHIFT_S)
    with (
        ahead.run_worker("-Q", "ahead", name="ahead", concurrency=1),
        behind.run_worker("-Q", "behind", name="behind", concurrency=1),
        ahead.run_site(name="site-ahead") as site,
    ):
        handle = tasks.relay.apply_async(("behind",), queue="ahead")
        created_at = read_record(handle.id).created_at
        with site.open_page(handle.id) as page:
            for attempt in (1, 2):
                wait_until(lambda: (attempt, "PROGRESS", "live") in page.tasks[handle.id].history)  # noqa: B023
                rig.open_gate(f"relay-{attempt}")
            state = page.wait_for(handle.id, "SUCCESS")
            shown = page.tasks[handle.id]
        snapshot = get_store().read(handle.id)
    assert {entry for entry in shown.history if entry[2] not in (None, "live")} == set()
    assert [attempt for attempt, _, _ in shown.history] == sorted(attempt for attempt, _, _ in shown.history)
    assert shown.messages == {1: "attempt 1", 2: "attempt 2"}
    record = snapshot.record
    # That worker's clock is behind, and nobody cares.
    assert state["counters"]["clock_s"] < record.created_at / 1000 - SHIFT_S / 2
    times = [created_at, record.created_at, record.began_at, record.ended_at, snapshot.now]
    assert (record.attempt, times) == (2, sorted(times))
    told = [message.at for message in snapshot.messages]
    assert times[0] <= told[0] <= told[1] <= times[-1]
