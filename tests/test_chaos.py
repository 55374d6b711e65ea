"""That the chaos run would notice: its proxy mangles hints and nothing else, and its verdict knows a lie."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.chaos.hints import HintMangler, find_end
from benchmarks.chaos.ledger import Entry, note, read
from benchmarks.chaos.pages import Sight
from benchmarks.chaos.plans import make_plans
from benchmarks.chaos.verdict import Verdict, judge
from channels_progress.records import TaskRecord, TaskState

pytestmark = pytest.mark.same_everywhere

HINT = b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\n%d\r\n"
PUSHED = b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\n%d\r\n"
KILLED = 13


def record_of(state: TaskState, uid: str = "a") -> TaskRecord:
    return TaskRecord(uid=uid, epoch="e", attempt=1, seq=3, state=state, body={})


@pytest.mark.parametrize(
    "reply",
    [b"+OK\r\n", b":12\r\n", b"$5\r\nhe\r\no\r\n", b"$-1\r\n", b"*-1\r\n", b"*0\r\n", b"*2\r\n:1\r\n*1\r\n$1\r\na\r\n",
     b"%1\r\n+a\r\n:1\r\n", b"_\r\n", HINT % 10, PUSHED % 10],
)  # fmt: skip
def test_end_of_a_reply_is_found_however_it_is_cut(reply: bytes) -> None:
    assert [find_end(reply[:cut]) for cut in range(len(reply))] == [None] * len(reply)
    assert find_end(reply + b"+next\r\n") == len(reply)


@pytest.mark.parametrize("hint", [HINT, PUSHED])
def test_hints_are_lost_doubled_and_swapped_and_nothing_else(hint: bytes) -> None:
    answer, counts = b":1\r\n", Counter[str]()
    mangler = HintMangler(random.Random(1), counts)
    stream = b"".join(hint % number + answer for number in range(10, 90))
    passed = b"".join(mangler.feed(stream[at : at + 7]) for at in range(0, len(stream), 7))
    answers = passed.count(answer)
    hints = passed.count(b"message")
    assert answers == 80
    assert counts["made"] == 80
    assert min(counts["dropped"], counts["doubled"], counts["swapped"]) > 2
    # One that is to be swapped may still be held.
    assert 80 - counts["dropped"] + counts["doubled"] - hints in {0, 1}


def test_ledger_keeps_what_each_process_noted(tmp_path: Path) -> None:
    note(tmp_path, "a", "began")
    note(tmp_path, "b", "began")
    note(tmp_path, "a", "success")
    assert [entry.what for entry in read(tmp_path)["a"]] == ["began", "success"]


@pytest.mark.parametrize(
    ("state", "entries", "has_result", "expected"),
    [
        (TaskState.SUCCESS, ["began", "success"], True, ""),
        (TaskState.SUCCESS, ["began"], False, "invented"),
        (TaskState.FAILURE, ["began", "success"], True, "invented"),
        (TaskState.FAILURE, ["began", "failure"], True, ""),
        (TaskState.REVOKED, ["began"], True, "invented"),
        (TaskState.PROGRESS, ["began", "success"], True, "lost_endings"),
        (TaskState.PROGRESS, ["began", "success"], False, "untaken"),
        (TaskState.PROGRESS, ["began"], False, "lost"),
        (TaskState.PENDING, [], False, "waiting"),
        (TaskState.SUCCESS, ["began", "raised", "success"], True, "raised"),
    ],
)
def test_verdict(state: TaskState, entries: list[str], has_result: bool, expected: str) -> None:
    verdict = judge(
        {"a": record_of(state)},
        {"a": [Entry("a", what, 1) for what in entries]},
        killed={KILLED},
        cancelled=set(),
        has_result=lambda uid: has_result,
    )
    assert {name for name, uids in vars(verdict).items() if name != "ended" and uids} == (
        {expected} if expected else set()
    )


def test_failure_is_true_where_the_process_was_killed_and_a_cancel_where_somebody_asked() -> None:
    records = {"a": record_of(TaskState.FAILURE), "b": record_of(TaskState.REVOKED, "b")}
    ledger = {"a": [Entry("a", "began", KILLED)]}
    verdict = judge(records, ledger, killed={KILLED}, cancelled={"b"}, has_result=lambda uid: True)
    assert verdict == Verdict(ended=Counter({TaskState.FAILURE: 1, TaskState.REVOKED: 1}))


def test_page_that_shows_another_version_is_wrong() -> None:
    record = record_of(TaskState.SUCCESS)
    assert Sight(("e", 1, 3), "SUCCESS").is_of(record)
    assert not Sight(("e", 1, 2), "PROGRESS").is_of(record)
    assert not Sight(("e", 1, 3), "PROGRESS", "live").is_of(record_of(TaskState.PROGRESS))


def test_plans_are_the_same_for_the_same_seed() -> None:
    assert make_plans(4, 20) == make_plans(4, 20) != make_plans(5, 20)
