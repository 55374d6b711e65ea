"""Tasks whose attempts meet each other, or outlive themselves."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

from channels_progress.tasks import broadcast_task
from tests.live.rig.gates import wait_at
from tests.waiting import wait_until

ROWS = 3
REPORTS = 200


def find_attempt(reporter: Any) -> int:
    """Its number, once the store has given it."""
    attempt: int = wait_until(lambda: reporter.begun).attempt
    return attempt


@broadcast_task(acks_late=True)
def race(reporter: Any, name: str) -> int:
    """Reads some rows, then goes on reporting until the gate of its attempt opens."""
    attempt = find_attempt(reporter)
    for row in reporter.track(range(1, ROWS + 1), "Reading"):
        reporter.set(rows=row)
        reporter.message(f"{attempt}: row {row}")
    ticks = itertools.count()
    wait_at(f"{name}-{attempt}", meanwhile=lambda: reporter.set(ticks=next(ticks)))
    reporter.message(f"{attempt}: done")
    return attempt


@broadcast_task(bind=True)
def relay(self: Any, reporter: Any, queue: str) -> int:
    """Hands its second attempt over to the workers of another queue."""
    attempt = find_attempt(reporter)
    reporter.progress(attempt, 4, f"Attempt {attempt}")
    reporter.message(f"attempt {attempt}")
    reporter.set(clock_s=int(time.time()))
    wait_at(f"relay-{attempt}")
    if attempt == 1:
        raise self.retry(queue=queue, countdown=0)
    return attempt


@broadcast_task
def talk_on(reporter: Any) -> str:
    """Leaves a thread behind that does not notice the end."""

    def talk() -> None:
        wait_at("talk-on")
        for number in range(REPORTS):
            reporter.progress(number, REPORTS, "Still here")
            reporter.message("too late")
            reporter.flush()
        print("nobody listens", flush=True)  # noqa: T201  what the test waits for

    threading.Thread(target=talk, daemon=True).start()
    reporter.progress(1, 2, "Here")
    return "over"


@broadcast_task
def noisy(reporter: Any, threads: int, reports: int) -> float:
    """Reports from so many threads, as fast as they can; how many reports a second that were."""

    def report() -> None:
        for number in range(reports):
            reporter.message(f"noise {number}")
            reporter.advance()

    reporter.progress(0, threads * reports)
    talkers = [threading.Thread(target=report) for _ in range(threads)]
    begun_at = time.perf_counter()
    for talker in talkers:
        talker.start()
    for talker in talkers:
        talker.join()
    return threads * reports / (time.perf_counter() - begun_at)


@broadcast_task
def quiet(reporter: Any, lines: int) -> None:
    """Says something now and then."""
    for number in range(1, lines + 1):
        reporter.message(f"line {number}")
        reporter.flush()
