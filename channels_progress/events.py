"""The frames a page receives, as JSON text made once by the sender."""

from __future__ import annotations

import json
from typing import Any

from channels_progress.conf import get_settings
from channels_progress.records import (
    ListVersion,
    Liveness,
    Message,
    Snapshot,
    TaskRecord,
    TaskState,
    derive_liveness,
    list_id,
)

#: Version of the frames and records; a page ignores frames of another one and reloads its state over HTTP.
FRAME_VERSION = 1

#: What a reporter's body may hold. All are optional; a page treats a missing one as null.
#: ``title`` text; ``message`` text; ``unit`` text, in the form that the count needs, and ``rate_unit``, where the rate
#: needs another one; ``current`` and ``total`` numbers (of the current stage); ``fraction`` 0..1 over all stages, or
#: null while unknown; ``stage`` ``{"name", "index" (from 1), "count"|null, "declared": bool}``; ``rate`` units per
#: second; ``eta_s`` seconds; ``counters`` ``{name: number}``, and ``counter_names``, their order, where JavaScript's
#: objects would not keep it; ``redirect`` URL; ``clamped`` true where odd data was clamped; ``starts_at`` UTC
#: milliseconds, only before the first attempt: no worker takes it earlier; ``sent_at`` likewise, by the sender's clock,
#: where it was sent while the store was away.
BODY_KEYS = frozenset(
    {"title", "message", "unit", "rate_unit", "current", "total", "fraction", "stage", "rate", "eta_s", "counters",
     "counter_names", "redirect", "clamped", "starts_at", "sent_at"}
)  # fmt: skip

TASK_CHANNEL_PREFIX = "task:"
LIST_CHANNEL_PREFIX = "tasks:"

# json.dumps() with options makes a new encoder at each call, which costs more than encoding a small body.
_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode_json(value: Any) -> str:
    """Compact JSON text; refuses NaN and infinities, which browsers cannot parse."""
    return _encoder.encode(value)


def task_channel(uid: str) -> str:
    """The channel that a page subscribes to for this task."""
    return TASK_CHANNEL_PREFIX + uid


def list_channel(owner: str) -> str:
    """The channel on which a person's page hears that their list of tasks has changed; see ``TaskRecord.owner``."""
    return LIST_CHANNEL_PREFIX + list_id(owner)


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


def find_liveness(state: TaskState, age_ms: int) -> Liveness | None:
    """How alive a task in this state looks that was last heard from so long ago, by the settings."""
    settings = get_settings()
    return derive_liveness(state, age_ms, stalled_after_s=settings.STALLED_AFTER_S, lost_after_s=settings.LOST_AFTER_S)


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


def snapshot_liveness(snapshot: Snapshot) -> Liveness | None:
    """How alive the task looked at the moment of this reading."""
    return find_liveness(snapshot.record.state, snapshot.now - snapshot.record.heartbeat_at)


def list_frame(channel: str, version: ListVersion, now: int) -> dict[str, Any]:
    """The frame that says how new a list of tasks is; a page whose list is older fetches it.

    ``now`` is the store's clock in a hint, and the server's own after ``subscribed``. The Redis store's script builds
    the same frame.
    """
    return {
        "type": "tasks",
        "v": FRAME_VERSION,
        "channel": channel,
        "epoch": version.epoch,
        "seq": version.seq,
        "now": now,
    }
