"""The outbox keeps the newest messages, numbered, until they are confirmed."""

from __future__ import annotations

import threading

import pytest

from channels_progress.records import Message
from channels_progress.tasks.outbox import Batch, Outbox


def say(outbox: Outbox, *texts: str) -> None:
    for text in texts:
        outbox.put(Message("info", text))


def batch(numbered_from: int, *texts: str) -> Batch:
    return Batch(tuple(Message("info", text) for text in texts), numbered_from)


def test_messages_are_numbered_from_one() -> None:
    outbox = Outbox(3)
    say(outbox, "a", "b")
    assert outbox.take() == batch(1, "a", "b")


def test_what_is_not_confirmed_is_taken_again_with_what_came_since() -> None:
    outbox = Outbox(3)
    say(outbox, "a")
    outbox.take()
    say(outbox, "b")
    assert outbox.take() == batch(1, "a", "b")


def test_what_is_confirmed_is_gone() -> None:
    outbox = Outbox(3)
    say(outbox, "a", "b")
    outbox.confirm(outbox.take())
    assert (outbox.take(), len(outbox)) == (batch(3), 0)
    say(outbox, "c")
    assert outbox.take() == batch(3, "c")


@pytest.mark.parametrize("taken", [True, False])
def test_the_oldest_are_dropped_and_their_numbers_stay_empty(taken: bool) -> None:
    outbox = Outbox(3)
    say(outbox, "a", "b")
    if taken:
        outbox.take()
    say(outbox, "c", "d", "e")
    assert outbox.take() == batch(3, "c", "d", "e")


def test_messages_that_come_out_of_turn_are_put_in_order() -> None:
    outbox = Outbox(9)
    outbox._new.extend([(2, Message("info", "b")), (1, Message("info", "a")), (4, Message("info", "d"))])
    first = outbox.take()
    assert first == batch(1, "a", "b")
    outbox._new.append((3, Message("info", "c")))
    outbox.confirm(first)
    assert outbox.take() == batch(3, "c", "d")


def test_threads_lose_nothing() -> None:
    outbox = Outbox(4_000)
    threads = [threading.Thread(target=say, args=(outbox, *"x" * 500)) for _ in range(8)]
    taken = 0
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or len(outbox):
        sent = outbox.take()
        outbox.confirm(sent)
        taken += len(sent.messages)
    assert taken == 4_000
