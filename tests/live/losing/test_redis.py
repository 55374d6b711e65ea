"""A Redis that is lost in the middle of a task: the task hardly notices, and every page soon shows what is true."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import redis

from channels_progress.store import reset_store
from example_project.embedded_redis import EmbeddedRedis
from tests.live.losing import faults, tasks
from tests.live.losing.logs import LogSince
from tests.live.rig import Page, Rig, ServerProcess, Site
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("faults")

#: Steps of a task while Redis is lost; one takes 50 ms. A frozen one is lost for twice the budget, so that whoever
#: waits for it is found out.
STEPS = {faults.killed: 40, faults.frozen: 120, faults.flushed: 10, faults.full: 20, faults.locked: 20}
#: docs/faults.md says 0.75 s: at the begin, at the end, and at one ``flush()``. The rest is for a busy machine.
BUDGET_S = 3.0
#: How soon docs/faults.md says that pages are right again: 11 s, on a machine that is not busy.
SHOWN_WITHIN_S = 30.0


@pytest.fixture(autouse=True)
def fresh_store() -> Iterator[None]:
    """What this process has seen of an outage does not concern the next test."""
    yield
    reset_store()


@pytest.mark.parametrize("fault", STEPS)
def test_task_goes_on_and_pages_catch_up(
    fault: Callable[[EmbeddedRedis], AbstractContextManager[None]],
    rig: Rig,
    losing_redis: EmbeddedRedis,
    worker: ServerProcess,
    site: Site,
    core_layer_site: Site,
) -> None:
    logs = [LogSince(process) for process in (worker, site, core_layer_site)]
    running = tasks.work.delay(fault.__name__)
    with site.open_page(running.id) as page, core_layer_site.open_page(running.id) as other:
        pages = (page, other)
        wait_for(pages, running, "PROGRESS")
        with fault(losing_redis):
            brief = tasks.work_once.delay()
            for each in pages:
                each.add(brief.id)
            wait_until(lambda: read_delay_s(rig, brief) is not None)
            before = count_steps(rig, running)
            wait_until(lambda: count_steps(rig, running) >= before + STEPS[fault], within_s=60)
        steps = count_steps(rig, running)
        wait_until(lambda: all(get_step(each, running) >= steps for each in pages), within_s=SHOWN_WITHIN_S)
        wait_for(pages, brief, "SUCCESS")
        rig.open_gate(fault.__name__)
        wait_for(pages, running, "SUCCESS")
        assert (page.opened, other.opened) == (1, 1)
    delays_s = [wait_until(lambda: read_delay_s(rig, task)) for task in (running, brief)]  # noqa: B023
    assert max(delays_s) < BUDGET_S
    assert [log.find_complaints() for log in logs] == [[], [], []]


def wait_for(pages: tuple[Page, ...], task: Any, state: str) -> None:
    for page in pages:
        page.wait_for(task.id, state, within_s=SHOWN_WITHIN_S)


def get_step(page: Page, task: Any) -> int:
    return int((page.tasks[task.id].state or {}).get("current", 0))


def count_steps(rig: Rig, task: Any) -> int:
    return tasks.find_note(rig.folder, "steps", task.id).stat().st_size


def read_delay_s(rig: Rig, task: Any) -> float | None:
    """How long the task has taken beside its own work; None while it runs."""
    note = tasks.find_note(rig.folder, "delay", task.id)
    return float(note.read_text()) if note.exists() else None


def test_no_page_depends_on_a_group_of_the_channel_layer(
    rig: Rig, losing_redis: EmbeddedRedis, worker: ServerProcess, core_layer_site: Site
) -> None:
    """Those of channels_redis' core layer pass away, here after a second, and nobody is told."""
    task = tasks.work.delay("group expiry")
    with core_layer_site.open_page(task.id) as page, redis.Redis(port=losing_redis.port) as control:
        page.wait_for(task.id, "PROGRESS")
        began = count_steps(rig, task)
        wait_until(lambda: get_step(page, task) > began + 40)
        assert list(control.scan_iter("asgi*")) == []
        rig.open_gate("group expiry")
        page.wait_for(task.id, "SUCCESS")
