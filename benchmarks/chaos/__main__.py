"""A thousand tasks with faults injected at random, and a table of what became of them.

``python -m benchmarks.chaos [--tasks 1000] [--seed 4] [--within-s 300]``. Starts what it needs: a broker, which stays
up; a store with an append-only file, two workers and a site, which are killed and frozen all the time; between site
and store a proxy that loses, doubles and reorders hints. Exits with 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import django

from benchmarks.chaos import ledger, tasks
from benchmarks.chaos.looks import LOOK_AGAIN_S, Looks, ask_store
from benchmarks.chaos.outcome import Outcome
from benchmarks.chaos.pages import looking
from benchmarks.chaos.plans import Plan, make_plans
from benchmarks.chaos.site import PROGRESS, Site
from benchmarks.chaos.table import report
from benchmarks.chaos.verdict import judge
from channels_progress.records import TaskRecord
from channels_progress.store import get_store
from channels_progress.tasks.reconciler import reconcile_tasks

#: Tasks sent a second, on average.
RATE = 20.0
CANCEL_WITHIN_S = 2.0
SETTLE_WITHIN_S = 90.0
SHOWN_WITHIN_S = 3 * PROGRESS["RESYNC_S"]


def send(plans: Sequence[Plan], seed: int, cancelled: set[str]) -> None:
    """Send all tasks, at random moments; ask for the cancel of those that are to be cancelled."""
    source = random.Random(seed)
    for plan in plans:
        task = tasks.run_late if plan.late else tasks.run_early
        task.apply_async(kwargs=plan.as_kwargs(), task_id=plan.uid)
        if plan.end == "cancel":
            cancelled.add(plan.uid)
            threading.Timer(source.uniform(0, CANCEL_WITHIN_S), cancel, [plan.uid]).start()
        time.sleep(source.expovariate(RATE))


def cancel(uid: str) -> None:
    """Ask for a cancel, as soon as somebody listens."""
    ask_store(lambda: get_store().request_cancel(uid, reason="Chaos"))


def read_record(uid: str) -> TaskRecord | None:
    """The record as it is."""
    snapshot = ask_store(lambda: get_store().read(uid))
    return snapshot.record if snapshot else None


def run(site: Site, plans: Sequence[Plan], seed: int, within_s: float, folder: Path) -> Outcome:
    """Send the tasks, break things meanwhile, wait until all is quiet, and look."""
    uids, cancelled = [plan.uid for plan in plans], set[str]()
    looks, began = Looks(uids), time.monotonic()
    with looking(site.server.url, uids) as sights:
        sender = threading.Thread(target=send, args=(plans, seed, cancelled), daemon=True)
        with site.faults.running():
            sender.start()
            looks.take_until(lambda: not sender.is_alive(), within_s)
        looks.take_until(lambda: looks.are_settled(PROGRESS["LOST_AFTER_S"]), SETTLE_WITHIN_S)
        for _found in reconcile_tasks():
            pass
        records = {uid: read_record(uid) for uid in uids}
        until = time.monotonic() + SHOWN_WITHIN_S
        while time.monotonic() < until and not all(sights[uid].is_of(record) for uid, record in records.items()):
            time.sleep(LOOK_AGAIN_S)
        verdict = judge(
            records,
            ledger.read(folder),
            killed=site.faults.killed,
            cancelled=cancelled,
            has_result=lambda uid: bool(site.rig.app.AsyncResult(uid).ready()),
        )
        return Outcome(records, sights, verdict, looks, time.monotonic() - began)


def main() -> int:
    """Exit status: 0 where every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--within-s", type=float, default=300, help="faults end after this time at the latest")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        site = Site(options.seed, folder, stack)
        stack.enter_context(site.rig.joined())
        plans = make_plans(options.seed, options.tasks)
        outcome = run(site, plans, options.seed, options.within_s, folder)
        return 0 if report(outcome, site) else 1


if __name__ == "__main__":
    sys.exit(main())
