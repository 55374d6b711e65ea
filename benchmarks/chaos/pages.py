"""The people who look: pages without a browser, which note when they show an end, and whether they ever go back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from channels_progress.records import ENDED_STATES, RUNNING_STATES, Liveness, TaskRecord
from tests.live.rig import Page
from tests.live.rig.page import Shown

PAGES = 50


@dataclass(slots=True)
class Sight:
    """What a page shows of one task.

    Attributes:
        version: Epoch, attempt and seq.
        ended_ms: When it first showed an end, UTC milliseconds; 0 before.
        went_back: How often it has shown something older than before.
    """

    version: tuple[str, int, int] = ("", 0, 0)
    state: str = ""
    liveness: str | None = None
    ended_ms: float = 0
    went_back: int = 0

    def note(self, shown: Shown) -> None:
        """Called after each frame."""
        if not shown.state:
            return
        version, state = (shown.seen.epoch, *shown.seen.version), shown.seen.state
        self.went_back += version[0] == self.version[0] and (
            version < self.version or (self.state in ENDED_STATES and state != self.state)
        )
        self.version, self.state, self.liveness = version, state, shown.state["liveness"]
        if state in ENDED_STATES and not self.ended_ms:
            self.ended_ms = time.time() * 1000

    def is_of(self, record: TaskRecord | None) -> bool:
        """Whether this is what is stored; a task that runs and has not ended by now is lost."""
        if record is None:
            return not self.state
        is_told = record.state not in RUNNING_STATES or self.liveness == Liveness.LOST
        return is_told and self.version == (record.epoch, record.attempt, record.seq)


@contextmanager
def looking(url: str, uids: Sequence[str]) -> Iterator[dict[str, Sight]]:
    """Open pages, each with some of the tasks; by uid, what is shown of it."""
    sights = {uid: Sight() for uid in uids}
    with ExitStack() as stack:
        for number in range(min(PAGES, len(uids))):
            page = Page(url, uids[number::PAGES], on_frame=lambda uid, shown: sights[uid].note(shown))
            stack.enter_context(page)
        yield sights
