"""Whatever a task says, and whenever the flusher looks: the store ends with the final values."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from channels_progress.records import TaskState
from channels_progress.store.memory import MemoryStore
from channels_progress.tasks.attempt import Attempt, End
from channels_progress.tasks.reporting import Reporter
from channels_progress.testing import RecordingReporter
from tests.tasks.support import make_reporter, snapshot_of, texts_of

numbers = st.integers(0, 12) | st.floats(0, 12, allow_nan=False) | st.just(2**70)
steps = st.one_of(
    st.tuples(st.just("progress"), numbers, st.none() | numbers, st.none() | st.text(max_size=3)),
    st.tuples(st.just("advance"), numbers),
    st.tuples(st.just("track"), st.integers(0, 5), st.none() | st.integers(0, 5)),
    st.tuples(st.just("enter"), st.sampled_from(["Read", "Save", "Extra"]), st.integers(0, 3)),
    st.tuples(st.just("leave")),
    st.tuples(st.just("fail")),
    st.tuples(st.just("set"), st.integers(0, 5)),
    st.tuples(st.just("message"), st.text(max_size=3)),
    st.tuples(st.just("redirect")),
    st.tuples(st.just("sample")),
)


class Task:
    """Takes steps with a reporter; ``look`` is called at the sampling moments, also in the middle of a track."""

    def __init__(self, reporter: Reporter, look: Any) -> None:
        self.reporter, self.look = reporter, look
        self.stages: list[ExitStack] = []

    def take(self, name: str, *args: Any) -> None:
        if name in {"progress", "advance", "message"}:
            getattr(self.reporter, name)(*args)
        elif name == "track":
            self._track(*args)
        elif name == "enter":
            self.stages.append(ExitStack())
            self.stages[-1].enter_context(self.reporter.stage(args[0], weight=args[1]))
        elif name == "set":
            self.reporter.set(count=args[0])
        elif name == "redirect":
            self.reporter.redirect("/done/")
        elif name == "sample":
            self.look()
        elif self.stages:
            self._leave(self.stages.pop(), name)

    def _track(self, items: int, stop: int | None) -> None:
        for item in self.reporter.track(iter(range(items)) if stop == 0 else range(items)):
            if item == stop:
                break
            self.look()

    def _leave(self, stage: ExitStack, name: str) -> None:
        with suppress(OSError), stage:
            if name == "fail":
                raise OSError


# A rate too small for any estimate.
@example(
    [("progress", 0, None, None), ("progress", 2**70, None, None), ("progress", 1.1125369292536007e-308, 1, None)], None
)
@given(st.lists(steps, max_size=25), st.sampled_from([None, ("Read", "Save"), {"Read": 1, "Save": 7}]))
def test_the_store_ends_with_the_final_values_and_the_bar_never_falls(script: list[Any], stages: Any) -> None:
    store, reporter = MemoryStore(), make_reporter(stages=stages)
    attempt = Attempt(reporter, store, lambda attempt: True)
    seen: list[float] = []

    def look() -> None:
        attempt.report(len(seen))
        seen.append(snapshot_of(store).record.body.get("fraction") or 0)

    unwatched = RecordingReporter(stages=stages)
    for task in (Task(reporter, look), Task(unwatched, lambda: None)):
        for step in script:
            task.take(*step)
    attempt.make_ending(End(TaskState.SUCCESS, "", 0), now=1e9).send()

    body = {name: value for name, value in snapshot_of(store).record.body.items() if name not in {"rate", "eta_s"}}
    fraction, expected = body.pop("fraction", None), dict(unwatched.body)
    wanted = expected.pop("fraction", None)
    assert (body, texts_of(store)) == (expected, unwatched.texts)
    if stages:
        assert seen == sorted(seen)
        assert (fraction or 0) == max([wanted or 0, *seen])
    else:
        assert fraction == wanted
