"""Any order of calls, repeated, late or stale: both stores keep the promises, and both say the same."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from channels_progress.records import (
    ENDED_STATES,
    RUNNING_STATES,
    Begun,
    Snapshot,
    Stamp,
    TaskRecord,
    TaskState,
    Written,
)
from channels_progress.store import Store
from channels_progress.store.memory import MemoryStore
from channels_progress.store.selection import make_store
from tests.store.support import say

DELIVERIES = st.sampled_from(["d0", "d1", "d2", "d3", ""])
STATES = st.sampled_from([*sorted(ENDED_STATES), TaskState.RETRY, TaskState.PENDING])
BODIES = st.sampled_from(["{}", '{"current":1}', '{"message":"ü"}'])
MESSAGES = st.lists(st.sampled_from("abc"), max_size=5)
NUMBERS = st.integers(0, 6)


def unmark(record: TaskRecord) -> TaskRecord:
    """It without what its owner makes of its end."""
    return replace(record, seen=False, dismissed=False)


class StoreMachine(RuleBasedStateMachine):
    """Drives a memory store and another one alike; ``self.stamps`` are all attempts ever handed out."""

    other_store: Store

    @initialize()
    def start(self) -> None:
        self.uid = secrets.token_hex(8)
        self.owner = f"user:{self.uid}"
        self.stores: tuple[Store, Store] = (MemoryStore(), self.other_store)
        self.epochs: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self.stamps: list[tuple[Stamp, Stamp]] = []
        self.before: Snapshot | None = None
        self.list_seq, self.listed = 0, None
        self.may_reopen = False

    def ask(self, method: str, **options: Any) -> Any:
        """Call both; their answers, which must agree, as the memory store gave it."""
        answers = [getattr(store, method)(self.uid, **options) for store in self.stores]
        assert self.unify(answers[0], 0) == self.unify(answers[1], 1)
        return answers

    def unify(self, answer: Any, side: int) -> Any:
        """``answer`` with epochs as numbers, in the order of their appearance, and without times."""
        if isinstance(answer, Begun):
            return replace(answer, epoch=self.number(answer.epoch, side))
        if not isinstance(answer, Snapshot):
            return answer
        record = replace(
            answer.record, epoch=self.number(answer.record.epoch, side), created_at=bool(answer.record.created_at),
            began_at=bool(answer.record.began_at), heartbeat_at=bool(answer.record.heartbeat_at),
            ended_at=bool(answer.record.ended_at),
        )  # fmt: skip
        messages = [(message.offset, message.text) for message in answer.messages]
        return (record, messages, answer.recovered)

    def number(self, epoch: str, side: int) -> Any:
        return self.epochs[side].setdefault(epoch, len(self.epochs[side]))

    @rule(inside=st.booleans(), body=BODIES)
    def create(self, inside: bool, body: str) -> None:
        self.may_reopen = not inside
        self.ask("create", owner=self.owner, body=body, inside=inside)

    @rule(delivery=DELIVERIES, body=BODIES)
    def begin(self, delivery: str, body: str) -> None:
        mine, other = self.ask("begin", delivery=delivery, owner=self.owner, body=body)
        self.stamps.append((Stamp(self.uid, mine.epoch, mine.attempt), Stamp(self.uid, other.epoch, other.attempt)))

    @rule(data=st.data(), body=BODIES, texts=MESSAGES, skipped=NUMBERS, numbered_from=NUMBERS)
    def write(self, data: Any, body: str, texts: list[str], skipped: int, numbered_from: int) -> None:
        self.write_with(self.choose(data), body, texts, skipped, numbered_from)

    @rule(body=BODIES, texts=MESSAGES, numbered_from=NUMBERS)
    def write_with_the_newest_stamp(self, body: str, texts: list[str], numbered_from: int) -> None:
        self.write_with(self.stamps[-1] if self.stamps else None, body, texts, 0, numbered_from)

    def choose(self, data: Any) -> tuple[Stamp, Stamp] | None:
        return data.draw(st.sampled_from(self.stamps)) if self.stamps else None

    def write_with(
        self, stamps: tuple[Stamp, Stamp] | None, body: str, texts: list[str], skipped: int, numbered_from: int
    ) -> None:
        if not stamps:
            return
        options = {"body": body, "messages": say(*texts), "skipped": skipped, "numbered_from": numbered_from}
        mine, other = (store.write(stamp, **options) for store, stamp in zip(self.stores, stamps, strict=True))
        assert mine == other
        self.check_guard(stamps[0], mine)

    @rule(data=st.data())
    def heartbeat(self, data: Any) -> None:
        if stamps := self.choose(data):
            [mine], [other] = (store.heartbeat([stamp]) for store, stamp in zip(self.stores, stamps, strict=True))
            assert mine == other
            self.check_guard(stamps[0], mine)

    def check_guard(self, stamp: Stamp, written: Written) -> None:
        """Accepted exactly from the newest attempt of this epoch, while it runs."""
        assert self.before
        record = self.before.record
        newest = (stamp.epoch, stamp.attempt) == (record.epoch, record.attempt)
        assert written.accepted == (newest and record.state in RUNNING_STATES)

    @rule(state=STATES, delivery=DELIVERIES, body=st.none() | BODIES, texts=MESSAGES, numbered_from=NUMBERS)
    def finish(self, state: TaskState, delivery: str, body: str | None, texts: list[str], numbered_from: int) -> None:
        self.ask(
            "finish", state=state, owner=self.owner, delivery=delivery, body=body, reason=state.lower(), retry_at=5,
            messages=say(*texts), numbered_from=numbered_from,
        )  # fmt: skip

    @rule(reason=st.sampled_from(["", "why"]))
    def request_cancel(self, reason: str) -> None:
        self.ask("request_cancel", reason=reason)

    @rule(seen=st.booleans(), dismissed=st.booleans())
    def mark(self, seen: bool, dismissed: bool) -> None:
        mine, other = self.ask("mark", seen=seen, dismissed=dismissed)
        assert mine == other

    @rule(offset=st.integers(-1, 12))
    def read_since(self, offset: int) -> None:
        if self.before:
            epochs = [store.read(self.uid).record.epoch for store in self.stores]
            mine, other = (
                store.read(self.uid, since=(epoch, offset)) for store, epoch in zip(self.stores, epochs, strict=True)
            )
            assert self.unify(mine, 0) == self.unify(other, 1)

    @invariant()
    def stores_agree_and_time_goes_forward(self) -> None:
        mine, other = (store.read(self.uid) for store in self.stores)
        assert self.unify(mine, 0) == self.unify(other, 1)
        assert [bool(version) for store in self.stores for version in store.versions([self.uid])] == [bool(mine)] * 2
        self.check_step(self.before, mine)
        self.before, self.may_reopen = mine, False
        self.check_lists()

    def check_lists(self) -> None:
        """The lists agree, and change exactly with what they say."""
        mine, other = (store.list_for(self.owner) for store in self.stores)
        assert mine.version.seq == other.version.seq
        assert [record.uid for record in mine.records] == [record.uid for record in other.records]
        record = self.before and self.before.record
        shown = record and (record.epoch, record.seen, record.dismissed)
        assert [record.uid for record in mine.records] == ([self.uid] if record and not record.dismissed else [])
        assert (mine.version.seq != self.list_seq) == (shown != self.listed)
        self.list_seq, self.listed = mine.version.seq, shown

    def check_step(self, before: Snapshot | None, after: Snapshot | None) -> None:
        if not before:
            return
        assert after
        old, new = before.record, after.record
        if new.epoch != old.epoch:
            assert self.may_reopen
            assert old.state in ENDED_STATES
            assert (new.attempt, new.seq, new.state, after.messages) == (0, 1, TaskState.PENDING, ())
            return
        assert (new.attempt, new.seq) >= (old.attempt, old.seq)
        assert new.seq <= old.seq + 1
        if new.seq == old.seq:
            assert replace(unmark(new), heartbeat_at=0) == replace(unmark(old), heartbeat_at=0)
            assert after.messages == before.messages
        if old.state in ENDED_STATES:
            assert (unmark(new), after.messages) == (unmark(old), before.messages)
            assert (new.seen >= old.seen, new.dismissed >= old.dismissed) == (True, True)
        first_kept = after.messages[0].offset if after.messages else 0
        still_kept = tuple(message for message in before.messages if message.offset >= first_kept)
        assert after.messages[: len(still_kept)] == still_kept


@pytest.mark.parametrize(("kind", "kept", "examples"), [("redis", 3, 100), ("redis", 1000, 100), ("sqlite", 3, 30)])
def test_stores_keep_their_promises_in_any_order(
    redis_url: str, own_databases: Any, configure: Any, kind: str, kept: int, examples: int
) -> None:
    if kind == "sqlite":
        own_databases(kind)
    configure(STORE=redis_url if kind == "redis" else f"database:{kind}", STORE_TIMEOUT_S=15, MESSAGES_KEPT=kept)
    StoreMachine.other_store = make_store()
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    StoreMachine.other_store.close()
