"""A server with all its children, which a test kills, freezes and starts again."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from example_project.leash import Leashed
from tests.stack.processes import find_descendants, is_gone
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]
# Much longer than anything takes on a busy machine.
READY_WITHIN_S = 60.0
GONE_WITHIN_S = 30.0
PORT_TAKEN = "address already in use"


class ServerProcess:
    """One server; start it with ``start``, or let ``Rig`` do it.

    Attributes:
        command: Program and arguments.
        log_path: Where all its runs write, one after the other.
    """

    def __init__(
        self, command: Sequence[str], *, log_path: Path, env: Mapping[str, str], is_ready: Callable[[str], object]
    ) -> None:
        """
        Args:
            is_ready: Whether it serves, by what this run has written so far.
        """
        self.command = list(command)
        self.log_path = log_path
        self._env = env
        self._is_ready = is_ready
        self._leashed: Leashed | None = None
        self._log_start = 0

    @property
    def log(self) -> str:
        """What all runs have written."""
        return self.log_path.read_text(errors="replace")

    @property
    def log_of_run(self) -> str:
        """What it has written since it was started last."""
        return self.log_path.read_bytes()[self._log_start :].decode(errors="replace")

    @property
    def pid(self) -> int:
        """The server's main process, which the leash holds."""
        assert self._leashed, "It was never started."
        leash = psutil.Process(self._leashed.process.pid)
        return wait_until(lambda: next((child.pid for child in leash.children()), 0))

    @property
    def is_running(self) -> bool:
        return self._leashed is not None and self._leashed.process.poll() is None

    def find_tree(self) -> list[int]:
        """The main process first, then all below it."""
        pid = self.pid
        return [pid, *find_descendants(pid)]

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it serves."""
        self._open()
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until it serves, where ``start`` did not."""
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            wait_until(lambda: self._is_ready(self.log_of_run) or not self.is_running, within_s=READY_WITHIN_S)
            if self.is_running:
                return
            # Its port was free while it was down, and somebody's passing connection has it.
            if PORT_TAKEN not in self.log_of_run.lower() or time.monotonic() > deadline:
                raise AssertionError(f"{self.command} has ended.\n{self.log_of_run}")
            self._open()

    def send_signal(self, number: signal.Signals) -> None:
        """Send the main process a signal."""
        os.kill(self.pid, number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it as a person would, gracefully; the exit status, 128 + n where signal n has ended it."""
        self.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait until it has ended; the exit status."""
        assert self._leashed
        return self._leashed.wait(GONE_WITHIN_S)

    def kill(self) -> None:
        """Kill all of its processes at once, so that none has time to notice that another one is gone."""
        self.freeze()
        tree = self.find_tree()
        for pid in tree:
            _send(pid, signal.SIGKILL)
        wait_until(lambda: all(is_gone(pid) for pid in tree), within_s=GONE_WITHIN_S)
        self.wait()

    def freeze(self) -> None:
        """Stop all of its processes where they are, as a suspended machine does."""
        _send(self.pid, signal.SIGSTOP)
        for pid in self.find_tree():
            _send(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one go on."""
        for pid in self.find_tree():
            _send(pid, signal.SIGCONT)

    def restart(self) -> None:
        """Start one that has ended again."""
        assert not self.is_running, "It still runs."
        self.start()

    def close(self) -> None:
        """Have it gone, whatever state it is in. ``stop`` is the way to see it go gracefully."""
        with contextlib.suppress(psutil.NoSuchProcess):
            if self.is_running:
                self.kill()
        if self._leashed:
            self._leashed.stop()

    def _open(self) -> None:
        self._log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        with self.log_path.open("ab") as log:
            self._leashed = Leashed(self.command, log=log, env=self._env, cwd=ROOT)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
