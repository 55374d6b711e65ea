"""Looks into the store all the time: no record may ever go back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import redis

from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import ENDED_STATES, Version
from channels_progress.store import get_store
from channels_progress.store.names import name_task

Answer = TypeVar("Answer")

LOOK_AGAIN_S = 0.2
BACK_WITHIN_S = 60.0


def ask_store(question: Callable[[], Answer]) -> Answer:
    """The answer, once the store is back.

    Raises:
        StoreUnavailable: It does not come back.
    """
    until = time.monotonic() + BACK_WITHIN_S
    while True:
        try:
            return question()
        except StoreUnavailable:
            if time.monotonic() > until:
                raise
        time.sleep(LOOK_AGAIN_S)


class Looks:
    """What the store has said of these tasks so far.

    Attributes:
        went_back: How often something older followed.
    """

    def __init__(self, uids: Sequence[str]) -> None:
        self._uids = uids
        self._seen: dict[str, Version] = {}
        self.went_back = 0

    def take(self) -> None:
        """Look once; nothing where the store is away."""
        with suppress(StoreUnavailable):
            for uid, version in zip(self._uids, get_store().versions(self._uids), strict=True):
                before = self._seen.get(uid)
                self.went_back += before is not None and _is_older(before, version)
                if version:
                    self._seen[uid] = version

    def take_until(self, is_over: Callable[[], bool], within_s: float) -> None:
        """Look again and again until that, for so long at most."""
        until = time.monotonic() + within_s
        while not is_over() and time.monotonic() < until:
            self.take()
            time.sleep(LOOK_AGAIN_S)

    def are_settled(self, lost_after_s: float) -> bool:
        """Whether every task has ended, or has not been heard of for so long."""
        return len(self._seen) == len(self._uids) and all(
            version.state in ENDED_STATES or version.heartbeat_age_ms > lost_after_s * 1000
            for version in self._seen.values()
        )


def _is_older(before: Version, version: Version | None) -> bool:
    if version is None or version.epoch != before.epoch:
        return True
    was_latched = before.state in ENDED_STATES and version.state != before.state
    return was_latched or (version.attempt, version.seq) < (before.attempt, before.seq)


def measure_tasks(port: int, namespace: str, uids: Sequence[str]) -> list[int]:
    """How many bytes each task's keys take in the store, in ascending order."""
    with redis.Redis(port=port) as client:
        pipeline = client.pipeline(transaction=False)
        for uid in uids:
            names = name_task(namespace, uid)
            pipeline.memory_usage(names.task, samples=0)
            pipeline.memory_usage(names.log, samples=0)
        sizes = [size or 0 for size in pipeline.execute()]
    return sorted(record + log for record, log in zip(sizes[::2], sizes[1::2], strict=True))
