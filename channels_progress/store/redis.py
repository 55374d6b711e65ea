"""The store on Redis or Valkey: every change is one Lua call, which guards, writes and announces at once.

Needs Redis 6.2 or newer. The rules are those of :mod:`channels_progress.store.rules`; ``scripts/*.lua`` hold them in
the form that Redis runs.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from typing import Any

import redis

from channels_progress.conf import get_namespace, get_settings
from channels_progress.events import encode_json
from channels_progress.records import (
    ENDED_STATES,
    RUNNING_STATES,
    Begun,
    CancelOutcome,
    Listing,
    ListVersion,
    Message,
    SilentTask,
    Snapshot,
    Stamp,
    TaskState,
    Version,
    Written,
)
from channels_progress.store.breaker import CircuitBreaker
from channels_progress.store.connection import RedisConnections, make_client
from channels_progress.store.contract import OnHint
from channels_progress.store.lists import make_note
from channels_progress.store.names import name_task
from channels_progress.store.redis_feed import RedisFeed
from channels_progress.store.redis_lists import RedisLists
from channels_progress.store.redis_records import (
    READ_FIELDS,
    VERSION_FIELDS,
    as_ms,
    as_snapshot,
    as_text,
    as_version,
    as_written,
)
from channels_progress.store.rules import NOT_AN_OBJECT, Batch, Since, check_finished
from channels_progress.store.scripts import load_script

__all__ = ["RedisStore", "make_client"]

_CREATE, _BEGIN, _FINISH, _CANCEL, _MARK = (
    load_script("shared", "lives", name) for name in ("create", "begin", "finish", "cancel", "mark")
)
_WRITE, _HEARTBEAT, _READ = (load_script("shared", name) for name in ("write", "heartbeat", "read"))


class RedisStore:
    """Keeps records in Redis.

    Args:
        client: Where; for this store alone, which sets its timeouts and takes its retries away.
        breaker: Another one only in tests.
    """

    write_interval_s = 0.0

    def __init__(self, client: redis.Redis, *, breaker: CircuitBreaker | None = None) -> None:
        self._connections = RedisConnections(client, breaker or CircuitBreaker())
        self._lists = RedisLists(self._connections)

    @property
    def available(self) -> bool:
        """See ``Store.available``."""
        return self._connections.available

    @property
    def resync_s(self) -> float:
        """See ``Store.resync_s``."""
        return get_settings().RESYNC_S

    def create(
        self, uid: str, *, owner: str, body: str, parent: str = "", inside: bool = False, name: str = ""
    ) -> None:
        """See ``Store.create``."""
        epoch = _new_epoch()
        args = (epoch, owner, encode_json(parent), _open_object(body), "1" if inside else "", name)
        self._lists.run((_CREATE, (*_place(uid), *args)), uid, owner, epoch)

    def begin(
        self,
        uid: str,
        *,
        delivery: str,
        owner: str,
        body: str,
        parent: str = "",
        name: str = "",
        worker: str = "",
    ) -> Begun:
        """See ``Store.begin``."""
        fresh = _new_epoch()
        args = (fresh, owner, encode_json(parent), _open_object(body), delivery, name, worker)
        answer = self._lists.run((_BEGIN, (*_place(uid), *args)), uid, owner, fresh)
        accepted, epoch, attempt, state, cancelling, reason, *_ = answer
        return Begun(
            bool(accepted), epoch.decode(), attempt, TaskState(state.decode()), bool(cancelling), as_text(reason)
        )

    def write(
        self, stamp: Stamp, *, body: str, messages: Sequence[Message] = (), skipped: int = 0, numbered_from: int = 0
    ) -> Written:
        """See ``Store.write``."""
        log = _log_args(messages, skipped, numbered_from) if messages or skipped or numbered_from else _NO_LOG
        args = (stamp.epoch, stamp.attempt, _open_object(body), *log)
        return as_written(self._connections.run(_WRITE, *_place(stamp.uid), *args))

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
        name: str = "",
        worker: str = "",
        begun: bool = False,
    ) -> Written:
        """See ``Store.finish``."""
        new_body = ("", "") if body is None else ("1", _open_object(body))
        known = (name, worker, "1" if begun else "")
        args = (_new_epoch(), owner, check_finished(state), delivery, *new_body, encode_json(reason), retry_at)
        log = _log_args(messages, skipped, numbered_from)
        answer = self._connections.run(_FINISH, *_place(uid), *args, *known, *log)
        if answer and answer[4:]:
            self._lists.add(uid, owner, answer[4].decode())
        return as_written(answer)

    def heartbeat(self, stamps: Sequence[Stamp]) -> list[Written]:
        """See ``Store.heartbeat``."""
        calls = [(_HEARTBEAT, (*_place(stamp.uid), stamp.epoch, stamp.attempt)) for stamp in stamps]
        return [as_written(answer) for answer in self._connections.run_each(calls)] if calls else []

    def read(self, uid: str, *, since: Since = None) -> Snapshot | None:
        """See ``Store.read``."""
        epoch, offset = since if since and since[0].isascii() else ("", 0)
        answer = self._connections.ask(_READ, *_place(uid), epoch, max(0, offset), *READ_FIELDS)
        return None if answer is None else as_snapshot(uid, since, *answer)

    def versions(self, uids: Sequence[str]) -> list[Version | None]:
        """See ``Store.versions``."""
        if not uids:
            return []
        namespace = get_namespace()
        asked = [("HMGET", name_task(namespace, uid).task, *VERSION_FIELDS) for uid in uids]
        clock, *answers = self._connections.ask_each([("TIME",), *asked])
        return [as_version(answer, as_ms(clock)) for answer in answers]

    def request_cancel(self, uid: str, *, reason: str = "") -> CancelOutcome:
        """See ``Store.request_cancel``."""
        return CancelOutcome(self._connections.run(_CANCEL, *_place(uid), encode_json(reason)).decode())

    def list_for(self, owner: str | None, *, limit: int = 50) -> Listing:
        """See ``Store.list_for``."""
        return self._lists.list_for(owner, limit)

    def list_versions(self, list_ids: Sequence[str]) -> list[ListVersion | None]:
        """See ``Store.list_versions``."""
        return self._lists.versions(list_ids)

    def mark(self, uid: str, *, seen: bool = False, dismissed: bool = False, epoch: str = "") -> bool:
        """See ``Store.mark``."""
        wanted = ("1" if seen else "", "1" if dismissed else "", epoch)
        answer = self._connections.run(_MARK, *_place(uid), *wanted)
        if answer is None:
            return False
        is_new, known_epoch, owner, *marks = answer
        note = make_note(known_epoch.decode(), seen=marks[0] == b"1", dismissed=marks[1] == b"1")
        self._lists.mark(uid, owner.decode(), note, is_new=bool(is_new))
        return bool(is_new)

    def find_silent(
        self, *, older_than_s: float, limit: int = 100, states: Collection[TaskState] = RUNNING_STATES
    ) -> list[SilentTask]:
        """See ``Store.find_silent``. Two round trips."""
        return self._lists.find_silent(set(states) - ENDED_STATES, older_than_s, limit)

    def purge(self, *, limit: int = 1_000) -> int:
        """See ``Store.purge``. Every key has a TTL, so there is nothing to do."""
        return 0

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
