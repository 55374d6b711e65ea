"""Runs a command that cannot outlive its starter, not even a starter killed by SIGKILL.

``leash.py [--starter PID] [--grace-s 5] [--remove DIR] -- COMMAND…`` holds a pipe to whoever started it as its
standard input. When that pipe closes, or the parent is gone, the command gets SIGTERM, and after the grace time its
whole process group gets SIGKILL. On Linux the command also dies with the leash (``PR_SET_PDEATHSIG``).

Only the standard library, and imports nothing of the project: it must start fast and run anywhere.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

PR_SET_PDEATHSIG = 1  # linux/prctl.h
STARTER_CHECK_S = 1.0


class Leashed:
    """A running command on a leash, as its starter sees it.

    Attributes:
        process: The leash; it ends when the command has ended, with the command's exit status.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: IO[Any] | int = subprocess.DEVNULL,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        grace_s: float = 5.0,
        remove: Path | None = None,
    ) -> None:
        """Start ``command``.

        Args:
            log: Takes standard output and error.
            grace_s: How long the command may take from SIGTERM to its end.
            remove: A directory to delete once the command has ended.
        """
        options = ["--starter", str(os.getpid()), "--grace-s", str(grace_s)]
        options += ["--remove", str(remove)] if remove else []
        self._grace_s = grace_s
        self.process = subprocess.Popen(
            [sys.executable, "-IS", __file__, *options, "--", *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )

    def let_go(self) -> None:
        """Have the command and all its children end, without waiting for it."""
        if self.process.stdin:
            self.process.stdin.close()

    def stop(self) -> int:
        """Let go and wait. Returns the exit status; a second call changes nothing."""
        self.let_go()
        return self.process.wait(timeout=self._grace_s + 10)

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait until the command ends by itself. Returns its exit status, 128 + n for signal n.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        status = self.process.wait(timeout_s)
        self.let_go()
        return status


def run(command: Sequence[str], *, starter: int, grace_s: float, remove: Path | None) -> int:
    """Be the leash: start ``command``, wait for its end or for the starter's, leave nothing behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with(os.getpid())
    )
    threading.Thread(target=_end_when_let_go, args=(child.pid, starter, grace_s), daemon=True).start()
    # Not reaped before its group is killed, so that the group's number cannot belong to somebody else by then.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    _signal_group(child.pid, signal.SIGKILL)
    if remove:
        shutil.rmtree(remove, ignore_errors=True)
    status = child.wait()
    return status if status >= 0 else 128 - status


def _die_with(leash_pid: int) -> Any:
    """What the child does before exec: ask Linux for a SIGKILL when the leash dies; undo the ignored signals."""
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def prepare() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != leash_pid:
                os._exit(1)

    return prepare


def _end_when_let_go(pid: int, starter: int, grace_s: float) -> None:
    # A process forked by the starter keeps the pipe open, hence the look at who is the parent as well.
    while os.getppid() == starter:
        if select.select([0], [], [], STARTER_CHECK_S)[0] and not os.read(0, 4096):
            break
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    threading.Event().wait(grace_s)
    _signal_group(pid, signal.SIGKILL)


def _signal_group(group: int, number: signal.Signals) -> None:
    # macOS answers PermissionError for a group of zombies.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a command that ends with its starter.")
    parser.add_argument("--starter", type=int, default=os.getppid(), help="process id")
    parser.add_argument("--grace-s", type=float, default=5.0)
    parser.add_argument("--remove", type=Path)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    sys.exit(run(options.command, starter=options.starter, grace_s=options.grace_s, remove=options.remove))


if __name__ == "__main__":
    main()
