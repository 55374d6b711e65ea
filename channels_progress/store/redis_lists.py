"""The lists of tasks in Redis, by the rules of :mod:`channels_progress.store.lists`."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from typing import Any

from channels_progress.conf import get_namespace, get_settings
from channels_progress.records import Listing, ListVersion, SilentTask, TaskRecord, TaskState, list_id
from channels_progress.store.connection import Call, RedisConnections
from channels_progress.store.lists import EVERYBODY, LIFETIMES, arrange, has_epoch, is_on, make_note
from channels_progress.store.names import ListNames, name_list, name_task
from channels_progress.store.redis_records import READ_FIELDS, SILENCE_FIELDS, as_ms, as_record, as_silent
from channels_progress.store.rules import pick_silent
from channels_progress.store.scripts import load_script

_LIST, _DROP = load_script("list"), load_script("drop")


class RedisLists:
    """Keeps the lists beside the records."""

    def __init__(self, connections: RedisConnections) -> None:
        self._connections = connections

    def run(self, call: Call, uid: str, owner: str, epoch: str) -> Any:
        """The answer to ``call``, which may make a record of this ``epoch``; lists the task in the same round trip.

        The answer must end with the epoch that the record has, and its owner.
        """
        guess = make_note(epoch)
        asked = _find_lists(owner)
        answer, *notes = self._connections.run_first([call, *(_make_call(name, uid, guess, "guess") for name in asked)])
        *_, known_epoch, known_owner = answer
        self._correct(uid, dict(zip(asked, notes, strict=True)), guess, known_epoch.decode(), known_owner.decode())
        return answer

    def add(self, uid: str, owner: str, epoch: str) -> None:
        """List a task whose record has got this epoch."""
        self._correct(uid, {}, "", epoch, owner)

    def _correct(self, uid: str, notes: dict[str, bytes | None], guess: str, epoch: str, owner: str) -> None:
        """See to it that the lists of this owner have a note of this epoch; those that have failed are left alone."""
        names = [name for name in _find_lists(owner) if _is_wrong(notes.get(name, b""), epoch)]
        if names:
            note = make_note(epoch)
            self._connections.run_each([_make_call(name, uid, note, "sure", guess) for name in names])

    def mark(self, uid: str, owner: str, note: str, *, is_new: bool) -> None:
        """Announce a mark to the owner, where that was not done yet."""
        if owner:
            self._connections.run_each([_make_call(list_id(owner), uid, note, "mark", "1" if is_new else "")])

    def versions(self, list_ids: Sequence[str]) -> list[ListVersion | None]:
        """See ``Store.list_versions``."""
        if not list_ids:
            return []
        namespace = get_namespace()
        asked = [_ask_version(name_list(namespace, list_id)) for list_id in list_ids]
        return [_as_list_version(answer) for answer in self._connections.ask_each(asked)]

    def list_for(self, owner: str | None, limit: int) -> Listing:
        """See ``Store.list_for``. Three round trips: what is listed, what of it is to be shown, and that."""
        names = name_list(get_namespace(), EVERYBODY if owner is None else list_id(owner))
        # The version first: see the races in ``lists``.
        version, listed = self._connections.ask_each([_ask_version(names), ("ZREVRANGE", names.tasks, 0, -1)])
        uids = [uid.decode("utf-8", "surrogatepass") for uid in listed or ()]
        shown, gone = self._sift(names, uids, owner)
        records, now = self._read(names, shown[:limit], gone)
        listing = arrange((record for record in records if is_on(record, owner)), owner, limit)
        return Listing(listing, _as_list_version(version) or ListVersion(), now)

    def find_silent(self, states: Collection[TaskState], older_than_s: float, limit: int) -> list[SilentTask]:
        """Of the tasks on everybody's list those in these states that are silent for so long."""
        names = name_list(get_namespace(), EVERYBODY)
        [listed] = self._connections.ask_each([("ZRANGE", names.tasks, 0, -1)])
        uids = [uid.decode("utf-8", "surrogatepass") for uid in listed or ()]
        looks = [("HMGET", _task_key(uid), *SILENCE_FIELDS) for uid in uids]
        clock, *answers = self._connections.ask_each([("TIME",), *looks])
        tasks = [as_silent(uid, values, as_ms(clock)) for uid, values in zip(uids, answers, strict=True)]
        return pick_silent((task for task in tasks if task and task.state in states), older_than_s, limit)

    def _sift(self, names: ListNames, uids: list[str], owner: str | None) -> tuple[list[str], list[bytes]]:
        """The uids to be shown, and the arguments of drop.lua for those that do not belong here."""
        if not uids:
            return [], []
        # The notes first, so that one put down after a look at the record is not the one that is dropped.
        notes, *looks = self._connections.ask_each(
            [
                ("HMGET", names.notes, *(_field(uid) for uid in uids)),
                *(("HMGET", _task_key(uid), "owner", "dismissed") for uid in uids),
            ]
        )
        shown, gone = [], []
        for uid, note, look in zip(uids, notes or [b""] * len(uids), looks, strict=True):
            task_owner, dismissed = look or (None, None)
            if task_owner is None or (owner is not None and task_owner.decode() != owner):
                gone += [_encode(uid), note or b""]
            elif owner is None or dismissed != b"1":
                shown.append(uid)
        return shown, gone

    def _read(self, names: ListNames, uids: list[str], gone: list[bytes]) -> tuple[list[TaskRecord], int]:
        drop = [("EVAL", _DROP.text, 2, names.tasks, names.notes, *gone)] if gone else []
        asked = [("HMGET", _task_key(uid), *READ_FIELDS) for uid in uids]
        clock, *answers = self._connections.ask_each([("TIME",), *asked, *drop])
        records = [as_record(uid, values) for uid, values in zip(uids, answers[: len(uids)], strict=True)]
        return [record for record in records if record], as_ms(clock)


def _find_lists(owner: str) -> list[str]:
    return [EVERYBODY, list_id(owner)] if owner else [EVERYBODY]


def _make_call(name: str, uid: str, note: str, mode: str, more: str = "") -> Call:
    settings, names = get_settings(), name_list(get_namespace(), name)
    kept = settings.LISTED_FOR_STAFF if name == EVERYBODY else settings.LISTED_PER_PERSON
    ttl = int(LIFETIMES * settings.RECORD_TTL_S * 1000)
    return _LIST, (*names, ttl, kept, secrets.token_hex(8), _encode(uid), note, mode, more)


def _is_wrong(note: bytes | None, epoch: str) -> bool:
    return note is not None and not has_epoch(note.decode(), epoch)


def _ask_version(names: ListNames) -> tuple[Any, ...]:
    return ("HMGET", names.notes, "epoch", "seq")


def _as_list_version(values: list[bytes] | None) -> ListVersion | None:
    if not values or values[0] is None:
        return None
    return ListVersion(values[0].decode(), int(values[1]))


def _task_key(uid: str) -> bytes:
    return name_task(get_namespace(), uid).task


def _field(uid: str) -> bytes:
    return b":" + _encode(uid)


def _encode(uid: str) -> bytes:
    return uid.encode("utf-8", "surrogatepass")
