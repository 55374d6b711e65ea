"""The store on Redis or Valkey: every change is one Lua call, which guards, writes and announces at once.

Needs Redis 6.2 or newer. The rules are those of :mod:`channels_progress.store.rules`; ``scripts/*.lua`` hold them in
the form that Redis runs.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import redis

from channels_progress.conf import get_namespace, get_settings
from channels_progress.events import encode_json
from channels_progress.records import (
    Begun,
    CancelOutcome,
    Message,
    Snapshot,
    Stamp,
    TaskRecord,
    TaskState,
    Version,
    Written,
)
from channels_progress.store.breaker import CircuitBreaker
from channels_progress.store.connection import RedisConnections, make_client
from channels_progress.store.contract import OnHint
from channels_progress.store.names import name_task
from channels_progress.store.redis_feed import RedisFeed
from channels_progress.store.rules import NOT_AN_OBJECT, Batch, Since, check_finished, find_start, heartbeat_age
from channels_progress.store.scripts import load_script

__all__ = ["RedisStore", "make_client"]

_CREATE, _BEGIN, _FINISH, _CANCEL = (load_script("lives", name) for name in ("create", "begin", "finish", "cancel"))
_WRITE, _HEARTBEAT, _READ = map(load_script, ("write", "heartbeat", "read"))
_VERSION_FIELDS = ("epoch", "attempt", "seq", "state", "heartbeat_at")
# The first two as read.lua wants them.
_READ_FIELDS = (
    "epoch", "offset", "attempt", "seq", "state", "body", "owner", "delivery", "parent", "cancelling", "reason",
    "created_at", "began_at", "heartbeat_at", "ended_at", "retry_at",
)  # fmt: skip
_EMPTY = b'""'


class RedisStore:
    """Keeps records in Redis.

    Args:
        client: Where; for this store alone, which sets its timeouts and takes its retries away.
        breaker: Another one only in tests.
    """

    def __init__(self, client: redis.Redis, *, breaker: CircuitBreaker | None = None) -> None:
        self._connections = RedisConnections(client, breaker or CircuitBreaker())

    @property
    def available(self) -> bool:
        """See ``Store.available``."""
        return self._connections.breaker.closed

    def create(self, uid: str, *, owner: str, body: str, parent: str = "", inside: bool = False) -> None:
        """See ``Store.create``."""
        args = (_new_epoch(), owner, encode_json(parent), _open_object(body), "1" if inside else "")
        self._connections.run(_CREATE, *_place(uid), *args)

    def begin(self, uid: str, *, delivery: str, owner: str, body: str, parent: str = "") -> Begun:
        """See ``Store.begin``."""
        args = (_new_epoch(), owner, encode_json(parent), _open_object(body), delivery)
        accepted, epoch, attempt, state, cancelling, reason = self._connections.run(_BEGIN, *_place(uid), *args)
        return Begun(
            bool(accepted), epoch.decode(), attempt, TaskState(state.decode()), bool(cancelling), _text(reason)
        )

    def write(
        self, stamp: Stamp, *, body: str, messages: Sequence[Message] = (), skipped: int = 0, numbered_from: int = 0
    ) -> Written:
        """See ``Store.write``."""
        log = _log_args(messages, skipped, numbered_from) if messages or skipped or numbered_from else _NO_LOG
        args = (stamp.epoch, stamp.attempt, _open_object(body), *log)
        return _as_written(self._connections.run(_WRITE, *_place(stamp.uid), *args))

    def finish(
        self,
        uid: str,
        state: TaskState,
        *,
        delivery: str = "",
        owner: str = "",
        body: str | None = None,
        reason: str = "",
        retry_at: int = 0,
        messages: Sequence[Message] = (),
        skipped: int = 0,
        numbered_from: int = 0,
    ) -> Written:
        """See ``Store.finish``."""
        new_body = ("", "") if body is None else ("1", _open_object(body))
        args = (_new_epoch(), owner, check_finished(state), delivery, *new_body, encode_json(reason), retry_at)
        log = _log_args(messages, skipped, numbered_from)
        return _as_written(self._connections.run(_FINISH, *_place(uid), *args, *log))

    def heartbeat(self, stamps: Sequence[Stamp]) -> list[Written]:
        """See ``Store.heartbeat``."""
        calls = [(*_place(stamp.uid), stamp.epoch, stamp.attempt) for stamp in stamps]
        return [_as_written(answer) for answer in self._connections.run_each(_HEARTBEAT, calls)] if calls else []

    def read(self, uid: str, *, since: Since = None) -> Snapshot | None:
        """See ``Store.read``."""
        epoch, offset = since if since and since[0].isascii() else ("", 0)
        answer = self._connections.run(_READ, *_place(uid), epoch, max(0, offset), *_READ_FIELDS)
        return None if answer is None else _as_snapshot(uid, since, *answer)

    def versions(self, uids: Sequence[str]) -> list[Version | None]:
        """See ``Store.versions``."""
        if not uids:
            return []
        namespace = get_namespace()
        asked = [("HMGET", name_task(namespace, uid).task, *_VERSION_FIELDS) for uid in uids]
        (seconds, micros), *answers = self._connections.ask_each([("TIME",), *asked])
        now = int(seconds) * 1000 + int(micros) // 1000
        return [_as_version(answer, now) for answer in answers]

    def request_cancel(self, uid: str, *, reason: str = "") -> CancelOutcome:
        """See ``Store.request_cancel``."""
        return CancelOutcome(self._connections.run(_CANCEL, *_place(uid), encode_json(reason)).decode())

    def open_feed(self, on_hint: OnHint, on_gap: Callable[[], None]) -> RedisFeed:
        """See ``Store.open_feed``."""
        return RedisFeed(self._connections.pool, on_hint, on_gap)

    def close(self) -> None:
        """See ``Store.close``. The next call opens connections again."""
        self._connections.close()


def _new_epoch() -> str:
    return secrets.token_hex(8)


def _place(uid: str) -> tuple[Any, ...]:
    """What every script begins with: the keys, the hint's channel, the frame's head, the TTL."""
    return (*name_task(get_namespace(), uid), int(get_settings().RECORD_TTL_S * 1000))


def _open_object(body: str) -> str:
    """A JSON object's text as it continues another object: without braces, with a comma in front."""
    text = body.strip()
    if text[:1] != "{" or text[-1:] != "}":
        raise ValueError(NOT_AN_OBJECT)
    content = text[1:-1].strip()
    return f",{content}" if content else ""


_NO_LOG = (0, 0, 0)


def _log_args(messages: Sequence[Message], skipped: int, numbered_from: int) -> tuple[Any, ...]:
    """What scripts that log messages end with."""
    kept = get_settings().MESSAGES_KEPT
    batch = Batch(messages, skipped, numbered_from).fit(kept)
    texts = [encode_json({"level": message.level, "text": message.text})[1:-1] for message in batch.messages]
    return (kept, batch.skipped, batch.numbered_from, *texts)


def _text(encoded: bytes) -> str:
    """The string in a JSON text."""
    return "" if encoded == _EMPTY else str(json.loads(encoded))


def _as_written(answer: list[Any] | None) -> Written:
    if answer is None:
        return Written(False, missing=True)
    accepted, seq, cancelling, reason = answer
    return Written(bool(accepted), seq, bool(cancelling), _text(reason))


def _as_version(values: list[bytes] | None, now: int) -> Version | None:
    if not values or values[0] is None:
        return None
    epoch, attempt, seq, state, heartbeat_at = values
    age = heartbeat_age(int(heartbeat_at), now)
    return Version(epoch.decode(), int(attempt), int(seq), TaskState(state.decode()), age)


def _as_snapshot(uid: str, since: Since, now: bytes, values: list[bytes], texts: list[bytes]) -> Snapshot:
    record = dict(zip(_READ_FIELDS, values, strict=True))
    start, known = find_start(since, record["epoch"].decode(), offset := int(record["offset"]))
    messages = tuple(Message(**data) for data in json.loads(b"[" + b",".join(texts) + b"]"))
    recovered = known and len(messages) == offset - start
    return Snapshot(_as_record(uid, record), messages, recovered, int(now))


def _as_record(uid: str, values: dict[str, bytes]) -> TaskRecord:
    return TaskRecord(
        uid=uid,
        epoch=values["epoch"].decode(),
        attempt=int(values["attempt"]),
        seq=int(values["seq"]),
        state=TaskState(values["state"].decode()),
        body=json.loads(b"{" + values["body"][1:] + b"}"),
        owner=values["owner"].decode(),
        delivery=values["delivery"].decode(),
        parent=_text(values["parent"]),
        cancelling=values["cancelling"] == b"true",
        reason=_text(values["reason"]),
        created_at=int(values["created_at"]),
        began_at=int(values["began_at"]),
        heartbeat_at=int(values["heartbeat_at"]),
        ended_at=int(values["ended_at"]),
        retry_at=int(values["retry_at"]),
    )
