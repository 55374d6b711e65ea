"""Every ending, once per result backend, on a page that was there all along, on one opened later, and as JSON.

All cases of all backends run at the same time: what costs are the workers.
"""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from channels_progress.records import ENDED_STATES
from channels_progress.tasks import TaskHandle
from tests.live.ending_cases import CASES, Case, send
from tests.live.rig import Page, Rig, ServerProcess, Site
from tests.live.rig.page import Shown
from tests.waiting import PATIENT, wait_until
from tests.worker import tasks

pytestmark = pytest.mark.xdist_group("faults")

CONCURRENCY = 3
BACKENDS = ("redis", "django-db", "rpc", "none")
ENDED_WITHIN_S = 120
LAST = Case(send=send(tasks.wait, "shutdown"))


@dataclass
class Sent:
    """A case with one result backend."""

    rig: Rig
    case: Case
    handle: TaskHandle
    acted: bool = False

    def follow(self, shown: Shown) -> bool:
        """Do to it what the case asks for, once it is time; whether it has ended."""
        if self.case.when and not self.acted and self.case.when(shown):
            self.acted = True
            with self.rig.joined():
                self.case.act(self.rig, self.handle)
        return bool(shown.state) and shown.state["state"] in ENDED_STATES


@dataclass
class Ended:
    """All cases, and who has seen them end."""

    sent: dict[tuple[str, str], Sent]
    site: Site
    page: Page
    later: Page
    statuses: dict[str, int]


def make_rig(folder: Path, redis_url: str, backend: str) -> Rig:
    """All have one store, and one page."""
    progress = {
        "STORE": redis_url,
        "NAMESPACE": folder.parent.name,
        "MAX_SUBSCRIPTIONS": 1_000,
        "RESYNC_S": 1.0,
        "HEARTBEAT_S": 0.2,
        **PATIENT,
    }
    common: dict[str, Any] = {"folder": folder, "broker_url": redis_url, "progress": progress}
    folder.mkdir()
    if backend != "django-db":
        return Rig(**common, result_backend={"redis": redis_url, "rpc": "rpc://", "none": None}[backend])
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "db"), "OPTIONS": {"timeout": 30}}
    apps = ["django.contrib.contenttypes", "django.contrib.auth", "django_celery_results", "channels_progress"]
    rig = Rig(
        **common, result_backend="django-db", celery_here={"result_backend": None},
        databases={"default": database}, django={"INSTALLED_APPS": apps},
    )  # fmt: skip
    rig.manage("migrate", "--verbosity", "0")
    return rig


def send_all(rig: Rig, backend: str, page: Page, *, early: bool) -> dict[tuple[str, str], Sent]:
    chosen = {name: case for name, case in CASES.items() if case.early is early}
    return {(backend, name): send_one(rig, case, page) for name, case in chosen.items()}


def send_one(rig: Rig, case: Case, page: Page) -> Sent:
    """The page watches it before anything can happen to it."""
    uid = str(uuid.uuid4())
    page.add(uid)
    wait_until(lambda: page.tasks[uid].frames, message="the page is subscribed")
    with rig.joined():
        return Sent(rig, case, case.send(rig, uid))


def shut_down(rig: Rig, worker: ServerProcess, page: Page, handle: TaskHandle) -> int:
    """End the worker as a deployment does, while this task runs in it; the exit status."""
    page.wait_for(handle.id, "PROGRESS")
    worker.send_signal(signal.SIGTERM)
    wait_until(lambda: "Warm shutdown" in worker.log)
    rig.open_gate("shutdown")
    page.wait_for(handle.id, "SUCCESS")
    return worker.wait()


@pytest.fixture(scope="module")
def ended(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    folder = tmp_path_factory.mktemp("endings")
    rigs = {backend: make_rig(folder / backend, redis_url, backend) for backend in BACKENDS}
    with ExitStack() as running:
        running.enter_context(rigs["none"].joined())
        site = running.enter_context(rigs["none"].run_site())
        page = running.enter_context(site.open_page("none-yet"))
        sent: dict[tuple[str, str], Sent] = {}
        for name, rig in rigs.items():
            sent |= send_all(rig, name, page, early=True)
        workers = {
            name: running.enter_context(rig.run_worker(concurrency=CONCURRENCY, wait=False))
            for name, rig in rigs.items()
        }
        for name, worker in workers.items():
            worker.wait_until_ready()
            sent |= send_all(rigs[name], name, page, early=False)
        watcher = Watcher(page, sent)
        wait_until(watcher.is_done, within_s=ENDED_WITHIN_S, message=watcher)
        statuses = {}
        for name, rig in rigs.items():
            sent[name, "warm-shutdown"] = last = send_one(rig, LAST, page)
            statuses[name] = shut_down(rig, workers[name], page, last.handle)
        later = running.enter_context(site.open_page(*(each.handle.id for each in sent.values())))
        yield Ended(sent, site, page, later, statuses)


class Watcher:
    """Follows all cases on one page; as a text it is what has not ended yet."""

    def __init__(self, page: Page, sent: dict[tuple[str, str], Sent]) -> None:
        self._page = page
        self._open = dict(sent)

    def __str__(self) -> str:
        return "\n".join(f"{key}: {self._page.tasks[each.handle.id]}" for key, each in self._open.items())

    def is_done(self) -> bool:
        for key, each in list(self._open.items()):
            if each.follow(self._page.tasks[each.handle.id]):
                del self._open[key]
        return not self._open


@pytest.mark.parametrize("name", [*CASES, "warm-shutdown"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_everybody_sees_the_same_one_end(ended: Ended, backend: str, name: str) -> None:
    each = ended.sent[backend, name]
    uid, case = each.handle.id, each.case
    shown, shown_later, frame = ended.page.tasks[uid], ended.later.tasks[uid], ended.site.read_state(uid)
    assert frame
    state, reason = case.expect(backend)
    assert (frame["state"]["state"], frame["state"]["reason"]) == (state, reason)
    assert frame["attempt"] in case.attempts
    assert shown.state == shown_later.state == frame["state"]
    assert list_endings(shown) == list_endings(shown_later) == {(frame["epoch"], frame["seq"], state)}
    assert {*case.passes} <= {state for _, state, _ in shown.history}


def list_endings(shown: Shown) -> set[tuple[str, int, str]]:
    """Of all frames that ever reached the page."""
    tasks = [frame for frame in shown.frames if frame["type"] == "task"]
    return {
        (frame["epoch"], frame["seq"], frame["state"]["state"])
        for frame in tasks
        if frame["state"]["state"] in ENDED_STATES
    }


def test_workers_shut_down_in_peace(ended: Ended) -> None:
    assert ended.statuses == dict.fromkeys(BACKENDS, 0)
