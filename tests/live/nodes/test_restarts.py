"""Whole workers and brokers are killed and come back, and the page shows what has become of each task."""

from __future__ import annotations

import pytest
import redis
from celery.result import AsyncResult
from pytest_celery import CeleryTestSetup

from channels_progress.records import Liveness, TaskState
from tests.live.rig import Rig, Site
from tests.waiting import wait_until
from tests.worker import tasks

pytestmark = pytest.mark.xdist_group("faults")
ENDED = TaskState.SUCCESS


def test_task_ends_on_the_page_without_the_broker_that_started_it(
    celery_setup: CeleryTestSetup, rig: Rig, site: Site
) -> None:
    running = tasks.wait.delay("open")
    with site.open_page(running.id) as page:
        page.wait_for(running.id, "PROGRESS")
        # Not acknowledged, it would rightly run again.
        wait_until(lambda: ask_broker(rig).hlen(f"{rig.namespace}:unacked") == 0)
        celery_setup.broker.kill()
        rig.open_gate("open")
        page.wait_for(running.id, ENDED)
        assert celery_setup.broker.container.status == "exited"
        celery_setup.broker.restart()
        # A worker that lives through this finds its broker again in its own time: redis-py's tries, then Celery's.
        celery_setup.worker.kill()
        celery_setup.worker.restart()
        later = tasks.add.delay(1, 2)
        page.add(later.id)
        page.wait_for(later.id, ENDED)
        # Nothing has run twice.
        assert read_ends(site, running, later) == [(1, ENDED), (1, ENDED)]


def test_waiting_task_runs_when_a_killed_broker_is_back(celery_setup: CeleryTestSetup, rig: Rig, site: Site) -> None:
    celery_setup.worker.kill()
    # What Redis hands out to somebody who has just gone would be lost.
    wait_until(lambda: ask_broker(rig).info("clients")["blocked_clients"] == 0)
    waiting = tasks.add.delay(1)
    with site.open_page(waiting.id) as page:
        celery_setup.broker.kill()
        celery_setup.broker.restart()
        assert page.wait_for(waiting.id, "PENDING")["state"] == "PENDING"
        celery_setup.worker.restart()
        page.wait_for(waiting.id, ENDED)
        assert page.tasks[waiting.id].history[0] == (0, "PENDING", None)
        assert read_ends(site, waiting) == [(1, ENDED)]


def test_task_of_a_killed_worker_runs_again_though_its_broker_was_killed_too(
    celery_setup: CeleryTestSetup, rig: Rig, site: Site
) -> None:
    running = tasks.wait_late.delay("open")
    with site.open_page(running.id) as page:
        page.wait_for(running.id, "PROGRESS")
        celery_setup.worker.kill()
        celery_setup.broker.kill()
        page.wait_for(running.id, Liveness.LOST)
        assert page.tasks[running.id].history[-2:] == [(1, "PROGRESS", "stalled"), (1, "PROGRESS", "lost")]
        celery_setup.broker.restart()
        celery_setup.worker.restart()
        wait_until(lambda: page.tasks[running.id].seen.attempt == 2)
        page.wait_for(running.id, "PROGRESS")
        rig.open_gate("open")
        page.wait_for(running.id, ENDED)
        assert read_ends(site, running) == [(2, ENDED)]


def ask_broker(rig: Rig) -> redis.Redis:
    """A client of the broker; a new one, as the server may be."""
    return redis.Redis.from_url(rig.broker_url)


def read_ends(site: Site, *handles: AsyncResult) -> list[tuple[int, str]]:
    """The attempt and the state of each record."""
    frames = [site.read_state(each.id) for each in handles]
    return [(frame["attempt"], frame["state"]["state"]) for frame in frames if frame]
