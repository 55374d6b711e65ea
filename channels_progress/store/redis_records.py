"""Records as Redis has them: what is asked for, and what is made of the answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from channels_progress.records import Message, SilentTask, Snapshot, TaskRecord, TaskState, Version, Written
from channels_progress.store.rules import Since, find_last_sign, find_start, heartbeat_age

VERSION_FIELDS = ("epoch", "attempt", "seq", "state", "heartbeat_at")
SILENCE_FIELDS = (
    "epoch", "attempt", "state", "delivery", "created_at", "began_at", "heartbeat_at", "retry_at", "name", "worker",
)  # fmt: skip
#: The first two as read.lua wants them.
READ_FIELDS = (
    "epoch", "offset", "attempt", "seq", "state", "body", "owner", "delivery", "parent", "cancelling", "reason",
    "created_at", "began_at", "heartbeat_at", "ended_at", "retry_at", "name", "worker", "seen", "dismissed",
)  # fmt: skip
_EMPTY = b'""'


def as_text(encoded: bytes) -> str:
    """The string in a JSON text."""
    return "" if encoded == _EMPTY else str(json.loads(encoded))


def as_ms(clock: Sequence[bytes]) -> int:
    """The answer to TIME in milliseconds."""
    seconds, micros = clock
    return int(seconds) * 1000 + int(micros) // 1000


def as_written(answer: list[Any] | None) -> Written:
    """The answer to a guarded write."""
    if answer is None:
        return Written(False, missing=True)
    accepted, seq, cancelling, reason, *_ = answer
    return Written(bool(accepted), seq, bool(cancelling), as_text(reason))


def as_version(values: list[bytes] | None, now: int) -> Version | None:
    """The values of ``VERSION_FIELDS``; None where there is no record."""
    if not values or values[0] is None:
        return None
    epoch, attempt, seq, state, heartbeat_at = values
    age = heartbeat_age(int(heartbeat_at), now)
    return Version(epoch.decode(), int(attempt), int(seq), TaskState(state.decode()), age)


def as_silent(uid: str, values: list[bytes] | None, now: int) -> SilentTask | None:
    """The values of ``SILENCE_FIELDS``; None where there is no record."""
    if not values or values[0] is None:
        return None
    # A record that an earlier release has made lacks name and worker.
    texts = dict(zip(SILENCE_FIELDS, ((value or b"").decode() for value in values), strict=True))
    state = TaskState(texts["state"])
    heard_at = find_last_sign(state, int(texts["created_at"]), int(texts["heartbeat_at"]), int(texts["retry_at"]))
    return SilentTask(
        uid=uid,
        epoch=texts["epoch"],
        attempt=int(texts["attempt"]),
        state=state,
        delivery=texts["delivery"],
        silent_ms=now - heard_at,
        created_at=int(texts["created_at"]),
        began_at=int(texts["began_at"]),
        name=texts["name"],
        worker=texts["worker"],
    )


def as_snapshot(uid: str, since: Since, now: bytes, values: list[bytes], texts: list[bytes]) -> Snapshot:
    """The answer of read.lua to ``READ_FIELDS``."""
    record = dict(zip(READ_FIELDS, values, strict=True))
    start, known = find_start(since, record["epoch"].decode(), offset := int(record["offset"]))
    messages = tuple(Message(**data) for data in json.loads(b"[" + b",".join(texts) + b"]"))
    recovered = known and len(messages) == offset - start
    return Snapshot(_make_record(uid, record), messages, recovered, int(now))


def as_record(uid: str, values: list[bytes] | None) -> TaskRecord | None:
    """The values of ``READ_FIELDS``; None where there is no record."""
    if not values or values[0] is None:
        return None
    return _make_record(uid, dict(zip(READ_FIELDS, values, strict=True)))


def _make_record(uid: str, values: dict[str, bytes]) -> TaskRecord:
    return TaskRecord(
        uid=uid,
        epoch=values["epoch"].decode(),
        attempt=int(values["attempt"]),
        seq=int(values["seq"]),
        state=TaskState(values["state"].decode()),
        body=json.loads(b"{" + values["body"][1:] + b"}"),
        owner=values["owner"].decode(),
        delivery=values["delivery"].decode(),
        parent=as_text(values["parent"]),
        cancelling=values["cancelling"] == b"true",
        reason=as_text(values["reason"]),
        created_at=int(values["created_at"]),
        began_at=int(values["began_at"]),
        heartbeat_at=int(values["heartbeat_at"]),
        ended_at=int(values["ended_at"]),
        retry_at=int(values["retry_at"]),
        # A record that an earlier release has made lacks these.
        name=(values["name"] or b"").decode(),
        worker=(values["worker"] or b"").decode(),
        seen=values["seen"] == b"1",
        dismissed=values["dismissed"] == b"1",
    )
