"""The tables, as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.chaos import ledger
from benchmarks.chaos.looks import measure_tasks
from benchmarks.chaos.outcome import Outcome
from benchmarks.chaos.site import Site
from benchmarks.chaos.sockets import measure_sockets

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Bound:
    """A number of bytes that must not be exceeded."""

    name: str
    value: float
    most: float

    @property
    def is_held(self) -> bool:
        """Whether it was not."""
        return self.value <= self.most


def measure_bounds(outcome: Outcome, site: Site) -> list[Bound]:
    """What the run has cost in memory, and what it may cost."""
    uids = [uid for uid, record in outcome.records.items() if record]
    sizes = measure_tasks(site.store_port, site.rig.namespace, uids)
    socket = measure_sockets(site.server.url, uids, site.measure_server)
    return [
        Bound("a task in the store, median", statistics.median(sizes), 8 * KIB),
        Bound("a task in the store, largest", sizes[-1], 16 * KIB),
        Bound("a socket of the server", socket, 48 * KIB),
        Bound("a pool process, more than a fresh one", site.measure_growth(), 32 * MIB),
    ]


def report(outcome: Outcome, site: Site) -> bool:
    """Print what happened; whether every promise was kept."""
    broken = outcome.count_broken(left=site.count_messages(), errors=len(site.faults.errors))
    bounds = measure_bounds(outcome, site)
    hints = {f"hints {fate}": count for fate, count in sorted(site.proxy.counts.items())}
    print_table(("what must not happen", "times"), broken)
    print_table(("how the tasks ended", "tasks"), outcome.count_ends())
    print_table(("what was done to them", "times"), {**site.faults.counts, **hints})
    print_table(("from the end to the page", "ms"), _list_delays(sorted(outcome.measure_delays())))
    print_table(("memory", "KiB"), {each.name: f"{each.value / KIB:,.1f} of {each.most / KIB:,.0f}" for each in bounds})
    print(f"\n{len(outcome.records):,} tasks in {outcome.took_s:.0f} s.")
    for line in [*map(repr, site.faults.errors), *outcome.explain(ledger.read(site.rig.folder), site.faults.killed)]:
        print(line)
    return not any(broken.values()) and all(bound.is_held for bound in bounds)


def _list_delays(delays: Sequence[float]) -> dict[str, int]:
    centiles = statistics.quantiles(delays, n=100, method="inclusive")
    return {"median": int(centiles[49]), "99 % within": int(centiles[98]), "longest": int(delays[-1])}


def print_table(head: tuple[str, str], rows: Mapping[str, int | str]) -> None:
    """Two columns."""
    width = max(map(len, [head[0], *rows]))
    print(f"\n| {head[0]:<{width}} | {head[1]:>16} |\n| {'-' * width} | {'-' * 15}: |")
    for name, value in rows.items():
        print(f"| {name:<{width}} | {value if isinstance(value, str) else format(value, ','):>16} |")
