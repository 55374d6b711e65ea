"""Compares what pages and the store say with what the ledger knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.chaos.ledger import Entry
from channels_progress.records import ENDED_STATES, TaskRecord, TaskState

#: An ending is true if one of these happened to the task.
TRUE_FOR = {TaskState.SUCCESS: "success", TaskState.FAILURE: "failure"}


@dataclass
class Verdict:
    """What became of all tasks.

    Attributes:
        ended: How many ended how.
        lost: uids whose worker was killed with a message that it had acknowledged: they never ended.
        lost_endings: uids that ended, as the result backend knows, and do not read so.
        untaken: uids that ended in a process which was killed before the store or the result backend could take it.
        invented: uids that read an end they did not have.
        waiting: uids that no worker has begun: Celery keeps a message in the worker's memory for a moment when it takes
            it from Redis, and loses it with the worker.
        raised: uids into which reporting raised.
    """

    ended: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    lost_endings: list[str] = field(default_factory=list)
    untaken: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)


def judge(
    records: Mapping[str, TaskRecord | None],
    ledger: Mapping[str, Sequence[Entry]],
    *,
    killed: Collection[int],
    cancelled: Collection[str],
    has_result: Callable[[str], bool],
) -> Verdict:
    """The verdict on these tasks.

    Args:
        killed: Processes that were killed.
        cancelled: Tasks that somebody asked to be cancelled.
        has_result: Whether the result backend knows an end of this task.
    """
    verdict = Verdict()
    for uid, record in records.items():
        entries = ledger.get(uid, [])
        if any(entry.what == "raised" for entry in entries):
            verdict.raised.append(uid)
        if record is not None and record.state in ENDED_STATES:
            verdict.ended[record.state] += 1
            if not _is_true(record.state, uid, entries, killed, cancelled):
                verdict.invented.append(uid)
        else:
            _find_list(verdict, uid, entries, has_result).append(uid)
    return verdict


def _is_true(
    state: TaskState, uid: str, entries: Sequence[Entry], killed: Collection[int], cancelled: Collection[str]
) -> bool:
    if state is TaskState.REVOKED:
        return uid in cancelled
    happened = any(entry.what == TRUE_FOR.get(state) for entry in entries)
    # Celery's own ending of a task whose process is gone: WorkerLostError.
    return happened or (state is TaskState.FAILURE and any(entry.pid in killed for entry in entries))


def _find_list(
    verdict: Verdict,
    uid: str,
    entries: Sequence[Entry],
    has_result: Callable[[str], bool],
) -> list[str]:
    if has_result(uid):
        return verdict.lost_endings
    if any(entry.what in TRUE_FOR.values() for entry in entries):
        return verdict.untaken
    return verdict.lost if entries else verdict.waiting
