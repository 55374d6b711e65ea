"""What a run has left behind: in the store, on the pages, and in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.chaos.ledger import Entry
from benchmarks.chaos.looks import Looks
from benchmarks.chaos.pages import Sight
from benchmarks.chaos.verdict import Verdict
from channels_progress.records import TaskRecord


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run.

    Attributes:
        records: As they are in the store, by uid.
        sights: What the page of each task shows.
        took_s: Seconds from the first task until every page was right.
    """

    records: Mapping[str, TaskRecord | None]
    sights: Mapping[str, Sight]
    verdict: Verdict
    looks: Looks
    took_s: float

    def count_broken(self, *, left: int, errors: int) -> dict[str, int]:
        """What must not happen, and how often it has.

        Args:
            left: Messages that the broker still has.
            errors: Faults that could not be injected.
        """
        pairs = [(self.sights[uid], record) for uid, record in self.records.items()]
        return {
            "lost endings": len(self.verdict.lost_endings),
            "invented endings": len(self.verdict.invented),
            "tasks without any record": sum(record is None for record in self.records.values()),
            "tasks into which reporting raised": len(self.verdict.raised),
            "pages going back": sum(sight.went_back for sight in self.sights.values()),
            "records going back": self.looks.went_back,
            "pages that show something else than is stored": sum(not sight.is_of(record) for sight, record in pairs),
            "messages that nobody took": left,
            "faults that could not be injected": errors,
        }

    def count_ends(self) -> dict[str, int]:
        """How many tasks ended how; those without an end apart."""
        return {
            **{str(state): count for state, count in sorted(self.verdict.ended.items())},
            "lost: killed, its message acknowledged before": len(self.verdict.lost),
            "lost: ended, and killed before anybody was told": len(self.verdict.untaken),
            "waiting: its message died with a worker": len(self.verdict.waiting),
        }

    def measure_delays(self) -> list[float]:
        """Milliseconds from each end in the store to the page that shows it."""
        ends = ((self.sights[uid].ended_ms, record) for uid, record in self.records.items() if record)
        return [shown_ms - record.ended_at for shown_ms, record in ends if record.ended_at and shown_ms]

    def explain(self, ledger: Mapping[str, Sequence[Entry]], killed: Collection[int]) -> Iterator[str]:
        """A line for each task with which something is wrong: what it did, what is stored, what is shown."""
        verdict = self.verdict
        wrong = {*verdict.lost_endings, *verdict.invented, *verdict.raised}
        wrong |= {uid for uid, record in self.records.items() if not self.sights[uid].is_of(record)}
        for uid in sorted(wrong):
            did = [f"{entry.what} in {entry.pid}{' (killed)' * (entry.pid in killed)}" for entry in ledger.get(uid, [])]
            yield f"{uid}: {did}; stored {self.records[uid]}; shown {self.sights[uid]}"
