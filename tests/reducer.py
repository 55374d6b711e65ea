"""The page's reducer in Python: what ``reduceTask`` of channels_progress.js makes of frames, for tests without a page.

``tests/test_reducer.py`` runs both over the same frames and wants the same states.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from channels_progress.events import FRAME_VERSION
from channels_progress.records import ENDED_STATES, RUNNING_STATES

MAX_MESSAGES = 100
# Number.MAX_SAFE_INTEGER
MAX_COUNT = 2**53 - 1

Frame = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """What a page knows of a task; the words are those of ``UNKNOWN_TASK`` in channels_progress.js.

    Attributes:
        part: Of the bar, and ``reached``, how far it came there: ``reached`` in JavaScript.
    """

    epoch: str = ""
    attempt: int = 0
    seq: int = 0
    at: float = 0
    now: float = 0
    task: Frame | None = None
    fraction: float | None = None
    part: str = ""
    reached: float = 0
    messages: tuple[Frame, ...] = ()
    offset: int = 0
    forgotten: int = 0
    missing: bool = False
    needs_resync: bool = False

    @property
    def state(self) -> str:
        """Celery's name of the task's state, or ``""``."""
        return self.task["state"] if self.task else ""

    @property
    def is_ended(self) -> bool:
        return self.state in ENDED_STATES

    @property
    def version(self) -> tuple[int, int]:
        return self.attempt, self.seq

    @property
    def offsets(self) -> list[int]:
        return [message["offset"] for message in self.messages]


UNKNOWN = Seen()


def reduce_task(seen: Seen, frame: Any, *, read: bool = False) -> Seen:
    """What is known after this frame; ``seen`` itself where it changes nothing."""
    if isinstance(frame, dict) and frame.get("type") == "missing":
        return _miss(seen, frame.get("liveness"))
    if not _is_task_frame(frame):
        return seen
    if frame["epoch"] != seen.epoch:
        if not read:
            return seen if seen.needs_resync else replace(seen, needs_resync=True)
        seen = Seen(epoch=frame["epoch"])
    return _merge_messages(_merge_task(seen, frame), frame, read=read)


def find_fault(before: Seen, after: Seen) -> str:
    """What a page must never do that it did between these two; empty where all is well."""
    if after.offsets != sorted(set(after.offsets)):
        return f"messages doubled or out of order: {after.offsets}"
    if before.epoch != after.epoch or not before.task or not after.task:
        return ""
    if after.version < before.version:
        return f"went back from {before.version} to {after.version}"
    if before.is_ended and after.task != before.task:
        return f"the end changed from {before.task} to {after.task}"
    if after.offset < before.offset:
        return f"messages forgotten: {before.offset} before, {after.offset} after"
    if before.part == after.part and after.reached < before.reached:
        return f"the bar went back from {before.reached} to {after.reached}"
    return ""


class Page:
    """A page that follows one task, without the page: tell it what its socket hears.

    Attributes:
        seen: What it knows now.
        history: Every state it has been in, oldest first.
    """

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.seen = UNKNOWN
        self.history: list[Seen] = []
        self._awaits_read = False

    def hear(self, frame: Frame) -> None:
        """A frame has come over its socket; fails where the page would show something that it never must."""
        if frame.get("channel") != self.channel:
            return
        if frame["type"] == "subscribed":
            self._awaits_read = True
        elif frame["type"] in {"task", "missing"}:
            read = self._awaits_read and frame["type"] == "task"
            self._awaits_read = self._awaits_read and not read
            self.take(frame, read=read)

    def take(self, frame: Frame, *, read: bool = False) -> None:
        """The frame of a socket, or (``read``) the answer to a question of this page's."""
        before, self.seen = self.seen, reduce_task(self.seen, frame, read=read)
        assert not (fault := find_fault(before, self.seen)), fault
        if self.seen is not before:
            self.history.append(self.seen)

    def lose_connection(self) -> None:
        """What was asked for will not come."""
        self._awaits_read = False

    @property
    def since(self) -> dict[str, list[Any]] | None:
        """Up to where it has had every message, as the ``subscribe`` frame says it."""
        return {self.channel: [self.seen.epoch, self.seen.offset]} if self.seen.epoch else None

    @property
    def endings(self) -> list[str]:
        """The endings it has shown, in turn: one for each epoch at most."""
        shown = {seen.epoch: seen.state for seen in self.history if seen.is_ended}
        return list(shown.values())


def _is_task_frame(frame: Any) -> bool:
    return (
        isinstance(frame, dict)
        and (frame.get("type"), frame.get("v")) == ("task", FRAME_VERSION)
        and _is_text(frame.get("epoch"))
        and _is_count(frame.get("attempt"))
        and _is_count(frame.get("seq"))
        and _is_number(frame.get("now"))
        and isinstance(frame.get("state"), dict)
        and _is_text(frame["state"].get("state"))
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value == int(value) and 0 <= value <= MAX_COUNT


def _miss(seen: Seen, liveness: Any) -> Seen:
    task = seen.task
    if not task or seen.state not in RUNNING_STATES or not _is_text(liveness) or task.get("liveness") == liveness:
        return seen
    return replace(seen, task={**task, "liveness": liveness})


def _merge_task(seen: Seen, frame: Frame) -> Seen:
    version = frame["attempt"], frame["seq"]
    if not seen.task or (version > seen.version and not seen.is_ended):
        attempt, seq, now = frame["attempt"], frame["seq"], frame["now"]
        return _advance(replace(seen, attempt=attempt, seq=seq, at=now, now=now, task=frame["state"]), frame["state"])
    if version == seen.version and frame["now"] > seen.now:
        return replace(seen, now=frame["now"], task={**seen.task, "liveness": frame["state"].get("liveness")})
    return seen


def _advance(seen: Seen, task: Frame) -> Seen:
    stage, fraction = task.get("stage"), task.get("fraction")
    part = str(seen.attempt)
    if isinstance(stage, dict) and stage.get("declared") is False:
        part = f"{seen.attempt}/{stage['index']}/{stage['name']}"
    floor = seen.reached if part == seen.part else 0
    if not _is_number(fraction):
        return replace(seen, fraction=None, part=part, reached=floor)
    furthest = min(max(fraction, floor), 1)
    return replace(seen, fraction=furthest, part=part, reached=furthest)


def _merge_messages(seen: Seen, frame: Frame, *, read: bool) -> Seen:
    sent = [message for message in _as_list(frame.get("messages")) if _is_message(message)]
    known = {message["offset"]: message for message in seen.messages}
    fresh = [message for message in sent if message["offset"] > seen.forgotten and message["offset"] not in known]
    if not read and not fresh:
        return seen
    known.update((message["offset"], message) for message in fresh)
    offset = _find_offset(seen.offset, sent if read else (), known)
    kept, forgotten = _keep_newest([known[key] for key in sorted(known)], seen.forgotten)
    return replace(
        seen,
        messages=tuple(kept),
        forgotten=forgotten,
        offset=offset,
        missing=len(kept) < offset or (read and frame.get("recovered") is False),
        needs_resync=(not read and seen.needs_resync) or (kept[-1]["offset"] if kept else 0) > offset,
    )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_message(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _is_count(value.get("offset"))
        and value["offset"] > 0
        and isinstance(value.get("text"), str)
    )


def _find_offset(offset: int, brought: Iterable[Frame], known: dict[int, Frame]) -> int:
    offset = max([offset, *(message["offset"] for message in brought)])
    while offset + 1 in known:
        offset += 1
    return offset


def _keep_newest(messages: list[Frame], forgotten: int) -> tuple[list[Frame], int]:
    surplus = len(messages) - MAX_MESSAGES
    return (messages[surplus:], messages[surplus - 1]["offset"]) if surplus > 0 else (messages, forgotten)
