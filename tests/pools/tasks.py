"""What the tests of the pools run, many at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any
from unittest.mock import patch

from celery import shared_task
from django.test import override_settings

from channels_progress.exceptions import TaskCancelled
from channels_progress.tasks import broadcast_task, current_reporter
from channels_progress.transport import can_send, get_sender, make_envelope
from tests.channel_layers import make_layers
from tests.live.rig.gates import PATIENCE_S, wait_at

LINES = [f"line {number}" for number in range(20)]
THREADS = 4


@broadcast_task
def report(reporter: Any, gate: str) -> None:
    """Says its lines with the bar half way, waits for the test, and goes on to the end."""
    for number, line in enumerate(LINES, 1):
        reporter.message(line)
        reporter.progress(number, 2 * len(LINES))
    wait_at(gate)
    for _ in LINES:
        reporter.advance()


@broadcast_task
def clean_up(reporter: Any) -> None:
    """Waits to be cancelled, and reports while it cleans up."""
    reporter.progress(1, 2)
    try:
        wait_at("never", meanwhile=lambda: reporter.progress(1))
    except TaskCancelled as cancelled:
        reporter.message(f"Undone: {cancelled.reason}")
        raise


@broadcast_task
def compute(reporter: Any) -> None:
    """Is busy all the time, and reports."""
    deadline = time.monotonic() + PATIENCE_S
    for _ in reporter.track(iter(int, 1), "Computing"):
        if time.monotonic() > deadline:
            raise TimeoutError


@broadcast_task
def ignore_cancel(reporter: Any, gate: str) -> None:
    """Never looks whether it is cancelled."""
    reporter.progress(1, 2)
    wait_at(gate)


@broadcast_task
def spread(reporter: Any, gate: str) -> None:
    """Has threads of its own report; they wait for the test half way, and learn that they are cancelled."""
    reporter.progress(0, 2 * THREADS * len(LINES))
    with ThreadPoolExecutor(THREADS) as pool:
        done = [pool.submit(copy_context().run, report_from_thread, gate) for _ in range(THREADS)]
    for future in done:
        future.result()


def report_from_thread(gate: str) -> None:
    """What each thread does."""
    reporter = current_reporter()
    for line in LINES:
        reporter.message(line)
        reporter.advance()
    wait_at(gate, meanwhile=reporter.check_cancelled)
    for _ in LINES:
        reporter.advance(1.0)


@shared_task
def broadcast(backend: str, url: str, groups: list[str]) -> tuple[list[int], bool]:
    """Sends its lines to each of these groups over this layer, at once; how many it took, and whether by an event loop.

    The layer is this process's while it lasts, so no two of these at the same time.
    """

    def send(group: str) -> int:
        envelopes = [make_envelope("user:1", line, replaceable=False) for line in LINES]
        return sum(get_sender().deliver(group, envelope) for envelope in envelopes)

    # A busy machine is no outage.
    patience = patch("channels_progress.transport.sender.SEND_TIMEOUT_S", PATIENCE_S)
    layers = override_settings(CHANNEL_LAYERS=make_layers(backend, url))
    with patience, layers, ThreadPoolExecutor(len(groups)) as pool:
        return list(pool.map(send, groups)), can_send()
