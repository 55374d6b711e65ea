"""Tasks at a fixed point of their lives, brought there through the store's own operations by a clock that stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from channels_progress.events import encode_json
from channels_progress.records import ENDED_STATES, Message, Stamp, TaskState
from channels_progress.store import get_store
from channels_progress.store.memory import MemoryStore
from channels_progress.store.rules import Entry

#: Saturday, 14 March 2026, 10:30:00.5 UTC: half a second away from where texts of whole seconds change.
NOW_MS = 1_773_484_200_500


class Clock:
    """Stands at ``NOW_MS``, or some seconds before it."""

    def __init__(self) -> None:
        self.age_s = 0.0

    def __call__(self) -> float:
        return NOW_MS / 1000 - self.age_s


CLOCK = Clock()


class StandingStore(MemoryStore):
    """For the setting ``STORE``: its time is ``CLOCK``, and nothing in it is random."""

    def __init__(self) -> None:
        super().__init__(clock=CLOCK)

    def _make_entry(self, *args: Any, **options: Any) -> Entry:
        entry = super()._make_entry(*args, **options)
        entry.epoch = "2f6b1d0c9e8a7354"
        return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What became of a task until now; ages are seconds before now.

    Attributes:
        body: What its reporter says now; ``title`` is known from its publishing on.
        messages: (age, level, text), oldest first.
        heard_s: Age of the last sign of life, and of the end.
        cancelling: Somebody asked for a cancel.
        seen: The owner has seen the end.
    """

    state: TaskState = TaskState.PROGRESS
    body: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[tuple[float, str, str], ...] = ()
    attempts: int = 1
    created_s: float = 45
    began_s: float = 42
    heard_s: float = 0
    retry_in_s: float = 0
    cancelling: bool = False
    reason: str = ""
    seen: bool = False
    name: str = "cities.tasks.import_cities"
    worker: str = "celery@worker-1"


def play(uid: str, life: Life, owner: str) -> None:
    """Bring the task into the store."""
    store = get_store()
    CLOCK.age_s = life.created_s
    known = encode_json({key: life.body[key] for key in ("title", "starts_at") if key in life.body})
    store.create(uid, owner=owner, body=known, name=life.name)
    if life.state != TaskState.PENDING:
        _run(uid, life)
    CLOCK.age_s = 0


def _run(uid: str, life: Life) -> None:
    store, body = get_store(), encode_json(life.body)
    CLOCK.age_s = life.began_s
    for attempt in range(1, life.attempts + 1):
        delivery = f"{uid}-{attempt}"
        begun = store.begin(uid, delivery=delivery, owner="", body=body, name=life.name, worker=life.worker)
        if attempt < life.attempts:
            store.finish(uid, TaskState.RETRY, delivery=delivery)
    for age_s, level, text in life.messages:
        CLOCK.age_s = age_s
        store.write(Stamp(uid, begun.epoch, begun.attempt), body=body, messages=[Message(level, text)])
    CLOCK.age_s = life.heard_s
    if life.state == TaskState.PROGRESS:
        store.write(Stamp(uid, begun.epoch, begun.attempt), body=body)
    if life.cancelling:
        store.request_cancel(uid, reason=life.reason)
    if life.state == TaskState.RETRY or life.state in ENDED_STATES:
        retry_at = NOW_MS + int(life.retry_in_s * 1000) if life.retry_in_s else 0
        store.finish(uid, life.state, delivery=delivery, body=body, reason=life.reason, retry_at=retry_at)
    if life.seen:
        store.mark(uid, seen=True)
