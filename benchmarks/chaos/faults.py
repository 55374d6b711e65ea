"""What breaks, and when: kills and freezes from one seed, in a thread of its own."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

from tests.live.rig import ServerProcess

#: Seconds between two faults, and how long something stays away, at least and at most.
PAUSE_S = (0.5, 2.0)
AWAY_S = (0.3, 1.5)


@dataclass
class Faults:
    """Breaks these things, one after the other, until told to stop.

    Attributes:
        counts: How often what was done.
        killed: Process ids of the pool processes that were killed.
        errors: What went wrong with the breaking itself.
    """

    seed: int
    workers: Sequence[ServerProcess]
    site: ServerProcess
    store: ServerProcess
    counts: Counter[str] = field(default_factory=Counter)
    killed: set[int] = field(default_factory=set)
    errors: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._over = threading.Event()
        self._kinds: dict[str, tuple[int, Callable[[], None]]] = {
            "pool process killed": (8, self._kill_child),
            "worker killed": (2, self._kill_worker),
            "site killed": (2, lambda: self._kill(self.site)),
            "store killed": (2, lambda: self._kill(self.store)),
            "store frozen": (2, lambda: self._freeze(self.store)),
            "site frozen": (1, lambda: self._freeze(self.site)),
        }

    @contextmanager
    def running(self) -> Iterator[None]:
        """Break things inside; afterwards everything runs again."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _run(self) -> None:
        names, weights = list(self._kinds), [weight for weight, _ in self._kinds.values()]
        while not self._over.wait(self._random.uniform(*PAUSE_S)):
            name = self._random.choices(names, weights)[0]
            try:
                self._kinds[name][1]()
            except Exception as error:
                self.errors.append(error)
                return
            self.counts[name] += 1

    def _kill_child(self) -> None:
        children = self._random.choice(self.workers).find_tree()[1:]
        if children:
            self._note_killed([self._random.choice(children)], kill=True)

    def _kill_worker(self) -> None:
        worker = self._random.choice(self.workers)
        worker.freeze()
        self._note_killed(worker.find_tree())
        self._kill(worker)

    def _note_killed(self, pids: list[int], *, kill: bool = False) -> None:
        self.killed.update(pids)
        for pid in pids if kill else []:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _kill(self, process: ServerProcess) -> None:
        # A frozen one may take its time to go.
        with suppress(psutil.NoSuchProcess, subprocess.TimeoutExpired):
            process.kill()
        self._wait()
        process.restart()

    def _freeze(self, process: ServerProcess) -> None:
        process.freeze()
        self._wait()
        process.resume()

    def _wait(self) -> None:
        self._over.wait(self._random.uniform(*AWAY_S))
