"""The frames a page receives, as JSON text made once by the sender."""

from __future__ import annotations

import json
from typing import Any

from channels_progress.records import Liveness, Message, Snapshot, TaskRecord

#: Version of the frames and records; a page ignores frames of another one and reloads its state over HTTP.
FRAME_VERSION = 1

#: What a reporter's body may hold. All are optional; a page treats a missing one as null.
#: ``title`` text; ``message`` text; ``unit`` text; ``current`` and ``total`` numbers (of the current stage);
#: ``fraction`` 0..1 over all stages, or null while unknown; ``stage`` ``{"name", "index" (from 1), "count"|null,
#: "declared": bool}``; ``rate`` units per second; ``eta_s`` seconds; ``counters`` ``{name: number}``;
#: ``redirect`` URL; ``clamped`` true where odd data was clamped.
BODY_KEYS = frozenset(
    {"title", "message", "unit", "current", "total", "fraction", "stage", "rate", "eta_s", "counters", "redirect",
     "clamped"}
)  # fmt: skip

TASK_CHANNEL_PREFIX = "task:"

# json.dumps() with options makes a new encoder at each call, which costs more than encoding a small body.
_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode_json(value: Any) -> str:
    """Compact JSON text; refuses NaN and infinities, which browsers cannot parse."""
    return _encoder.encode(value)


def task_channel(uid: str) -> str:
    """The channel that a page subscribes to for this task."""
    return TASK_CHANNEL_PREFIX + uid


def message_data(message: Message) -> dict[str, Any]:
    """A message as it stands in a task frame."""
    return {"offset": message.offset, "level": message.level, "text": message.text, "at": message.at}


def state_data(record: TaskRecord, liveness: Liveness | None) -> dict[str, Any]:
    """The ``state`` object of a task frame: what the store knows, then what the reporter said.

    ``liveness`` is ``"live"``, ``"stalled"``, ``"lost"``, or null where the task does not run.
    """
    return {
        "state": str(record.state),
        "liveness": liveness and str(liveness),
        "cancelling": record.cancelling,
        "reason": record.reason,
        "parent": record.parent,
        "created_at": record.created_at,
        "began_at": record.began_at,
        "ended_at": record.ended_at,
        "retry_at": record.retry_at,
        **record.body,
    }


def task_frame(snapshot: Snapshot, liveness: Liveness | None) -> dict[str, Any]:
    """A task frame for a snapshot. The Redis store's script builds the same one for its hints."""
    record = snapshot.record
    return {
        "type": "task",
        "v": FRAME_VERSION,
        "channel": task_channel(record.uid),
        "epoch": record.epoch,
        "attempt": record.attempt,
        "seq": record.seq,
        "now": snapshot.now,
        "state": state_data(record, liveness),
        "messages": [message_data(message) for message in snapshot.messages],
        "recovered": snapshot.recovered,
    }
