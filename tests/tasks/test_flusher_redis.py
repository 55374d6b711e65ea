"""The flusher on a real Redis: its faults, its forks, its connections."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from pytest_django.fixtures import Settings

from channels_progress.exceptions import TaskCancelled
from channels_progress.records import TaskState
from channels_progress.store import Store, get_store, reset_store
from channels_progress.tasks.flusher import Flusher, get_flusher
from example_project.embedded_redis import EmbeddedRedis
from tests.tasks.support import UID, make_reporter, snapshot_of, texts_of
from tests.waiting import WITHIN_S, wait_until


@pytest.fixture
def configure(settings: Settings) -> Callable[[str], Store]:
    """Puts the store on a Redis, in a namespace of this test's own."""

    def use(url: str) -> Store:
        settings.CHANNELS_PROGRESS = {
            "STORE": url,
            "NAMESPACE": f"test.{secrets.token_hex(6)}",
            "RECORD_TTL_S": 60,
            "REPORT_INTERVAL_S": 0.02,
            "HEARTBEAT_S": 0.1,
            "STORE_TIMEOUT_S": 0.3,
        }
        return get_store()

    return use


@pytest.fixture
def flusher() -> Iterator[Flusher]:
    yield Flusher()
    reset_store()


def test_a_task_from_begin_to_end(configure: Any, flusher: Flusher, redis_url: str) -> None:
    store, reporter = configure(redis_url), make_reporter(title="Import", stages={"Read": 1, "Save": 3})
    begun = flusher.start(reporter)
    assert begun
    with reporter.stage("Read"):
        list(reporter.track(range(1_000), unit="row"))
    reporter.message("half-way", level="warning")
    with reporter.stage("Save"):
        reporter.progress(1, 2)
    reporter.set(skipped=3)
    reporter.redirect("/done/")
    flusher.finish(reporter, TaskState.SUCCESS)
    snapshot = snapshot_of(store)
    body = {name: value for name, value in snapshot.record.body.items() if name not in {"rate", "eta_s"}}
    assert (snapshot.record.state, snapshot.record.attempt, texts_of(store)) == (TaskState.SUCCESS, 1, ["half-way"])
    assert body == {
        "title": "Import", "current": 1, "total": 2, "fraction": 1.0, "counters": {"skipped": 3}, "redirect": "/done/",
        "stage": {"name": "Save", "index": 2, "count": 2, "declared": True},
    }  # fmt: skip


def test_a_cancel_reaches_a_loop(configure: Any, flusher: Flusher, redis_url: str) -> None:
    store, reporter = configure(redis_url), make_reporter()
    flusher.start(reporter)

    def work() -> None:
        for number in reporter.track(iter(int, 1)):
            if reporter._bar.current == 1_000:
                store.request_cancel(UID, reason=f"Stop at {number}")

    with pytest.raises(TaskCancelled, match="Stop at 0"):
        work()


def test_flushall_does_not_end_the_reporting(configure: Any, flusher: Flusher, own_redis: EmbeddedRedis) -> None:
    store, reporter = configure(own_redis.url), make_reporter(title="Import")
    flusher.start(reporter)
    reporter.progress(3, 4)
    reporter.message("before")
    wait_until(lambda: texts_of(store) == ["before"])
    epoch = snapshot_of(store).record.epoch
    with redis.Redis.from_url(own_redis.url) as client:
        client.flushall()
    reporter.message("after")
    wait_until(lambda: texts_of(store) == ["after"])
    record = snapshot_of(store).record
    assert (record.epoch != epoch, record.delivery, record.owner, record.body["title"], record.body["current"]) == (
        True, "d1", "user:1", "Import", 3,
    )  # fmt: skip


def test_a_redis_that_restarts_empty_learns_the_end(configure: Any, flusher: Flusher, own_redis: EmbeddedRedis) -> None:
    store, reporter = configure(own_redis.url), make_reporter(title="Import")
    flusher.start(reporter)
    own_redis.stop()
    reporter.progress(9, 9)
    reporter.message("last words")
    assert flusher.finish(reporter, TaskState.SUCCESS) is None
    own_redis.start()
    assert flusher.drain(10)
    record = snapshot_of(store).record
    assert (record.state, record.owner, record.body["current"], texts_of(store)) == (
        TaskState.SUCCESS, "user:1", 9, ["last words"],
    )  # fmt: skip


def test_a_frozen_redis_costs_a_task_a_short_wait_once(
    configure: Any, flusher: Flusher, own_redis: EmbeddedRedis
) -> None:
    store = configure(own_redis.url)
    store.versions([UID])
    own_redis.pause()
    try:
        waits = []
        for number in range(5):
            reporter = make_reporter(uid=f"u{number}")
            began = time.monotonic()
            flusher.start(reporter)
            for _ in reporter.track(range(1_000)):
                reporter.message("busy")
            flusher.finish(reporter, TaskState.SUCCESS)
            waits.append(time.monotonic() - began)
    finally:
        own_redis.resume()
    # 0.25 s at the begin and at the end at most; nothing any more once it is known to be away.
    assert max(waits) < 0.6
    assert sum(waits) < 1.5
    assert flusher.drain(10)
    assert [snapshot_of(store, f"u{number}").record.state for number in range(5)] == [TaskState.SUCCESS] * 5


def test_the_number_of_connections_stays_constant(configure: Any, flusher: Flusher, own_redis: EmbeddedRedis) -> None:
    configure(own_redis.url).versions([UID])
    with redis.Redis.from_url(own_redis.url) as client:
        before = len(client.client_list())
        threads = [threading.Thread(target=run_a_task, args=(flusher, f"u{number}")) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(client.client_list()) == before


def run_a_task(flusher: Flusher, uid: str) -> None:
    reporter = make_reporter(uid=uid)
    flusher.start(reporter)
    for _ in reporter.track(range(50)):
        reporter.message("x")
    flusher.finish(reporter, TaskState.SUCCESS)


# Fork and shutdown.


def in_child(work: Callable[[], None], within_s: float = WITHIN_S) -> int:
    """Run ``work`` in a forked child; its exit status, or -9 if it had to be killed."""
    if not (pid := os.fork()):
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    try:
        wait_until(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT), within_s=within_s)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_reports_by_itself_and_not_for_its_parent(configure: Any, redis_url: str) -> None:
    store, inherited = configure(redis_url), make_reporter(uid="parent")
    get_flusher().start(inherited)

    def work() -> None:
        inherited.message("said in the child")
        inherited.flush()
        get_flusher().finish(inherited, TaskState.FAILURE)
        run_a_task(get_flusher(), "child")

    assert in_child(work) == 0
    inherited.message("said in the parent")
    get_flusher().finish(inherited, TaskState.SUCCESS)
    assert (snapshot_of(store, "parent").record.state, texts_of(store, "parent")) == (
        TaskState.SUCCESS, ["said in the parent"],
    )  # fmt: skip
    assert (snapshot_of(store, "child").record.state, len(texts_of(store, "child"))) == (TaskState.SUCCESS, 50)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_at_any_moment_does_not_deadlock_the_child(configure: Any, redis_url: str) -> None:
    configure(redis_url)
    stop = threading.Event()
    reporters = [make_reporter(uid=f"u{number}") for number in range(4)]

    def talk(number: int) -> None:
        get_flusher().start(reporters[number])
        while not stop.is_set():
            reporters[number].message("x")
            reporters[number].flush()

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()

    def work() -> None:
        for reporter in reporters:
            reporter.message("child")
            reporter.flush()
        run_a_task(get_flusher(), "child")

    try:
        assert [in_child(work) for _ in range(15)] == [0] * 15
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_lock_held_at_the_fork_does_not_deadlock_the_child(configure: Any, redis_url: str) -> None:
    configure(redis_url)
    reporter, flusher = make_reporter(), get_flusher()
    flusher.start(reporter)

    def work() -> None:
        reporter.message("x")
        reporter.flush()
        run_a_task(flusher, "child")

    with flusher._guard, flusher._news._cond, flusher._turned._cond:  # type: ignore[attr-defined]
        assert in_child(work) == 0
    flusher.finish(reporter, TaskState.SUCCESS)


SCRIPT = """
    import django; django.setup()
    import threading
    from channels_progress.records import TaskState
    from channels_progress.tasks.flusher import get_flusher
    from channels_progress.tasks.reporter import TaskReporter
    assert threading.active_count() == 1, "the import started a thread"
    reporter = TaskReporter("u", delivery="d1")
    get_flusher().start(reporter)
    reporter.message("hello")
    print(get_flusher().drain(5))
"""


def test_importing_starts_no_thread_and_a_live_flusher_keeps_no_process_alive() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "True\n", "")
