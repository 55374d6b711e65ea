"""What reporting costs a task: a call, a whole loop, and a store that is down or frozen.

    python benchmarks/reporter.py [redis://…]

Without a URL it starts an embedded server; the frozen one is always its own. All rivals run turn by turn in this one
process, with the flusher at work on a real Redis. Per call: net of the bare loop, the best turn of each. Per loop:
the best turn again, and CPU time of the whole process, which the machine's other work does not disturb.
"""

from __future__ import annotations

import io
import logging
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import django
import redis
from django.conf import settings
from django.test import override_settings
from tqdm import tqdm

from example_project.embedded_redis import find_free_port, run_embedded_redis

CALLS, TURNS = 20_000, 60
STEPS, STEP_US, LOOPS = 100_000, 10, 6


class Empty:
    def call(self) -> None:
        """As cheap as a call of a method can be."""


@contextmanager
def reporting() -> Iterator[Any]:
    """A reporter in the hands of this process's flusher."""
    from channels_progress.records import TaskState
    from channels_progress.tasks.flusher import get_flusher
    from channels_progress.tasks.reporter import TaskReporter

    reporter = TaskReporter(str(uuid.uuid4()), delivery=uuid.uuid4().hex, owner="user:1")
    get_flusher().start(reporter)
    yield reporter
    get_flusher().finish(reporter, TaskState.SUCCESS)


# Per call.


def bare(numbers: range) -> None:
    for _ in numbers:
        pass


def call_empty(numbers: range) -> None:
    call = Empty().call
    for _ in numbers:
        call()


def update_tqdm(numbers: range) -> None:
    with tqdm(total=len(numbers), file=io.StringIO()) as bar:
        update = bar.update
        for _ in numbers:
            update(1)


def iterate_tqdm(numbers: range) -> None:
    for _ in tqdm(numbers, file=io.StringIO()):
        pass


def call_progress(numbers: range, reporter: Any) -> None:
    total, progress = len(numbers), reporter.progress
    for number in numbers:
        progress(number, total)


def call_progress_with_text(numbers: range, reporter: Any) -> None:
    total, progress = len(numbers), reporter.progress
    for number in numbers:
        progress(number, total, "Reading")


def call_advance(numbers: range, reporter: Any) -> None:
    advance = reporter.advance
    for _ in numbers:
        advance()


def iterate_track(numbers: range, reporter: Any) -> None:
    for _ in reporter.track(numbers):
        pass


def make_rivals(reporter: Any) -> dict[str, Callable[[range], None]]:
    return {
        "bare loop": bare,
        "empty method call": call_empty,
        "tqdm.update(1)": update_tqdm,
        "reporter.progress(i, n)": partial(call_progress, reporter=reporter),
        "reporter.advance()": partial(call_advance, reporter=reporter),
        "reporter.progress(i, n, text)": partial(call_progress_with_text, reporter=reporter),
        "for … in tqdm(it)": iterate_tqdm,
        "for … in reporter.track(it)": partial(iterate_track, reporter=reporter),
    }


def take_time(run: Callable[[range], None]) -> float:
    start = time.perf_counter()
    run(range(CALLS))
    return time.perf_counter() - start


def compare_calls(url: str) -> None:
    with override_settings(CHANNELS_PROGRESS={"STORE": url}), reporting() as reporter:
        rivals = make_rivals(reporter)
        best = dict.fromkeys(rivals, float("inf"))
        for _ in range(TURNS):
            for name, run in rivals.items():
                best[name] = min(best[name], take_time(run))
    bare = best.pop("bare loop")
    net = {name: (took - bare) / CALLS * 1e9 for name, took in best.items()}
    print(f"\nPer call, net of the bare loop ({TURNS} turns of {CALLS} calls, best turn)")
    for name, took in net.items():
        base = "for … in tqdm(it)" if name.startswith("for") else "tqdm.update(1)"
        print(f"  {name:32} {took:7.1f} ns  {took / net[base]:5.2f} x {base}")


# Per loop.


def calibrate() -> int:
    """How far to count for a step to take ``STEP_US``."""
    size, best = 500, float("inf")
    for _ in range(50):
        start = time.perf_counter()
        for _ in range(100):
            sum(range(size))
        best = min(best, time.perf_counter() - start)
    return int(size * STEP_US * 1e-6 / (best / 100))


def work(size: int, reporter: Any) -> None:
    """A task of ``STEPS`` steps; the loop over ``reporter.progress`` is the dearest way to report them."""
    if reporter is None:
        for _ in range(STEPS):
            sum(range(size))
        return
    for number in range(STEPS):
        sum(range(size))
        reporter.progress(number, STEPS)


def run_task(size: int, store: str | None) -> tuple[float, float]:
    """Wall and CPU seconds of one task, begin and end included."""
    changed = override_settings(CHANNELS_PROGRESS={"STORE": store}) if store else nullcontext()
    with changed:
        if store:
            with reporting():  # a worker process has run tasks before: it knows whether the store is there
                pass
            wait_for_verdict()
        wall, cpu = time.perf_counter(), time.process_time()
        with reporting() if store else nullcontext() as reporter:
            work(size, reporter)
        return time.perf_counter() - wall, time.process_time() - cpu


def wait_for_verdict() -> None:
    """Until the flusher has heard from the store, or given up on it."""
    from channels_progress.store import get_store
    from channels_progress.tasks.flusher import get_flusher

    deadline = time.monotonic() + 2
    while get_store().available and not get_flusher().drain(0.01) and time.monotonic() < deadline:
        pass


def measure_first_wait(store: str) -> float:
    """Seconds that the begin and the end of the first task after the store went away take."""
    with override_settings(CHANNELS_PROGRESS={"STORE": store}):
        start = time.perf_counter()
        with reporting():
            pass
        return time.perf_counter() - start


def compare_loops(url: str) -> None:
    with run_embedded_redis() as frozen, redis.Redis.from_url(url) as client:
        away = {"down": f"redis://127.0.0.1:{find_free_port()}/0", "frozen": frozen.url}
        frozen.pause()
        stores = {"no reporter": None, "up": url, **away}
        size, connections = calibrate(), len(client.client_list())
        best = {name: (float("inf"), float("inf")) for name in stores}
        for _ in range(LOOPS):
            for name, store in stores.items():
                wall, cpu = run_task(size, store)
                best[name] = min(best[name][0], wall), min(best[name][1], cpu)
        waits = {name: measure_first_wait(store) for name, store in away.items()}
        most = len(client.client_list())
        with override_settings(CHANNELS_PROGRESS={"STORE": url}):
            during = count_connections(size, client)
    base = best["no reporter"]
    print(f"\n{STEPS} steps of {base[0] / STEPS * 1e6:.1f} us ({LOOPS} turns, best turn; begin and end included)")
    for name, (wall, cpu) in best.items():
        slower = f"{wall / base[0] - 1:+6.1%} wall  {cpu / base[1] - 1:+6.1%} CPU"
        print(f"  {name:12} {wall * 1e3:8.1f} ms  {slower}")
    for name, wait in waits.items():
        print(
            f"  {name}: the first task of a process waits {wait * 1e3:.0f} ms at begin and end together, the next none"
        )
    print(f"  Redis connections: {connections} before, {during} while a task reports, {most} after")


def count_connections(size: int, client: redis.Redis) -> int:
    """Connections to Redis in the middle of a task, ours for counting included."""
    with reporting() as reporter:
        work(size // 10, reporter)
        return len(client.client_list())


def main() -> None:
    settings.configure(
        INSTALLED_APPS=["channels_progress"],
        DATABASES={},
        CHANNELS_PROGRESS={"STORE": "memory"},
        LOGGING_CONFIG=None,
    )
    django.setup()
    logging.getLogger("channels_progress").setLevel(logging.ERROR)  # an outage is what we ask for
    with nullcontext(sys.argv[1]) if len(sys.argv) > 1 else embedded_url() as url:
        compare_calls(url)
        compare_loops(url)


@contextmanager
def embedded_url() -> Iterator[str]:
    with run_embedded_redis() as server:
        yield server.url


if __name__ == "__main__":
    main()
