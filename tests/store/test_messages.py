"""The log: offsets, what is replayed, what is kept, and which repetitions are recognised."""

from __future__ import annotations

from typing import Any

import pytest

from channels_progress.records import Message, Stamp, TaskState, Written
from channels_progress.store import Store
from tests.store.support import UID, begin, say, snapshot_of, texts_of


@pytest.fixture
def stamp(store: Store) -> Stamp:
    return begin(store)


def test_messages_get_offset_and_time(store: Store, stamp: Stamp) -> None:
    text = 'ü "quoted" \\ \n\u2028 </script> \U0001f600 %d'
    store.write(stamp, body="{}", messages=[Message("warning", text, offset=99, at=99), Message("info", "")])
    snapshot = snapshot_of(store)
    at = snapshot.record.heartbeat_at
    assert snapshot.messages == (Message("warning", text, 1, at), Message("info", "", 2, at))


def test_offsets_go_on_over_writes_attempts_and_endings(store: Store, stamp: Stamp) -> None:
    store.write(stamp, body="{}", messages=say("a", "b"))
    store.write(stamp, body="{}", messages=say("c"))
    store.finish(UID, TaskState.RETRY, delivery="d1", messages=say("d"))
    store.write(begin(store, "d2"), body="{}", messages=say("e"))
    store.finish(UID, TaskState.SUCCESS, delivery="d2", messages=say("f"))
    assert texts_of(store) == ([(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e"), (6, "f")], True)


@pytest.mark.parametrize(
    ("offset", "replayed", "recovered"),
    [
        (0, [1, 2, 3], True),
        (2, [3], True),
        (3, [], True),
        (4, [1, 2, 3], False),
        (2**70, [1, 2, 3], False),
        (-1, [1, 2, 3], False),
        (-5, [1, 2, 3], False),
    ],
)
def test_messages_after_an_offset_are_replayed(
    store: Store, stamp: Stamp, offset: int, replayed: list[int], recovered: bool
) -> None:
    store.write(stamp, body="{}", messages=say("a", "b", "c"))
    snapshot = snapshot_of(store, since=(stamp.epoch, offset))
    assert ([message.offset for message in snapshot.messages], snapshot.recovered) == (replayed, recovered)


def test_reader_of_another_epoch_gets_all(store: Store, stamp: Stamp) -> None:
    store.write(stamp, body="{}", messages=say("a", "b"))
    for epoch in ("0" * 16, "", "\ud800", "é\n"):
        assert texts_of(store, since=(epoch, 2)) == ([(1, "a"), (2, "b")], True)


def test_exactly_so_many_messages_are_kept(store: Store, stamp: Stamp, configure: Any) -> None:
    configure(MESSAGES_KEPT=3)
    for text in "abcd":
        store.write(stamp, body="{}", messages=say(text))
    kept = [(2, "b"), (3, "c"), (4, "d")]
    assert texts_of(store) == (kept, False)
    assert texts_of(store, since=(stamp.epoch, 0)) == (kept, False)
    assert texts_of(store, since=(stamp.epoch, 1)) == (kept, True)


def test_more_messages_at_once_than_are_kept(store: Store, stamp: Stamp, configure: Any) -> None:
    configure(MESSAGES_KEPT=2)
    store.write(stamp, body="{}", messages=say(*"abcde"), numbered_from=1)
    assert texts_of(store) == ([(4, "d"), (5, "e")], False)
    store.write(stamp, body="{}", messages=say("f"), numbered_from=6)
    assert texts_of(store, since=(stamp.epoch, 5)) == ([(6, "f")], True)


def test_no_message_is_kept_where_none_is_wanted(store: Store, stamp: Stamp, configure: Any) -> None:
    configure(MESSAGES_KEPT=0)
    store.write(stamp, body="{}", messages=say("a"))
    assert texts_of(store) == ([], False)


def test_skipped_messages_leave_a_hole(store: Store, stamp: Stamp) -> None:
    store.write(stamp, body="{}", messages=say("a"))
    store.write(stamp, body="{}", messages=say("d"), skipped=2)
    store.write(stamp, body="{}", skipped=1)
    assert texts_of(store) == ([(1, "a"), (4, "d")], False)
    assert texts_of(store, since=(stamp.epoch, 3)) == ([(4, "d")], False)
    store.finish(UID, TaskState.SUCCESS, delivery="d1", messages=say("g"), skipped=1)
    assert texts_of(store, since=(stamp.epoch, 6)) == ([(7, "g")], True)


def test_repeated_write_is_recognised_by_its_numbers(store: Store, stamp: Stamp) -> None:
    for _ in range(2):
        assert store.write(stamp, body="{}", messages=say("a", "b"), numbered_from=1).accepted
    store.write(stamp, body="{}", messages=say("a", "b", "c"), numbered_from=1)
    store.write(stamp, body="{}", numbered_from=4)
    assert texts_of(store) == ([(1, "a"), (2, "b"), (3, "c")], True)


def test_numbers_tell_what_was_dropped(store: Store, stamp: Stamp) -> None:
    store.write(stamp, body="{}", messages=say("a"), numbered_from=1)
    for _ in range(2):
        store.write(stamp, body="{}", messages=say("d"), numbered_from=4)
    assert texts_of(store) == ([(1, "a"), (4, "d")], False)


def test_each_attempt_numbers_anew(store: Store, stamp: Stamp) -> None:
    store.write(stamp, body="{}", messages=say("a", "b"), numbered_from=1)
    second = begin(store, "d2")
    store.write(second, body="{}", messages=say("c"), numbered_from=1)
    store.finish(UID, TaskState.SUCCESS, delivery="d2", messages=say("c", "d"), numbered_from=1)
    assert texts_of(store) == ([(1, "a"), (2, "b"), (3, "c"), (4, "d")], True)


def test_begin_again_of_a_lost_record_shows_what_went_with_it(store: Store) -> None:
    store.write(begin(store), body="{}", messages=say("c"), numbered_from=3)
    assert texts_of(store) == ([(3, "c")], False)


def test_repeated_finish_logs_once(store: Store, stamp: Stamp) -> None:
    finish = {"delivery": "d1", "messages": say("a")}
    assert store.finish(UID, TaskState.RETRY, **finish) == Written(True, 2)
    assert store.finish(UID, TaskState.RETRY, **finish) == Written(False, 2)
    assert texts_of(store) == ([(1, "a")], True)
