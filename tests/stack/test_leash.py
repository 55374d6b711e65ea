"""A leashed command ends with its starter, and leaves nothing behind when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from example_project.leash import Leashed
from tests.stack.processes import find_children, find_descendants, is_gone
from tests.waiting import wait_until

pytestmark = pytest.mark.same_everywhere

# A parent that ignores SIGTERM, with a child of its own.
STUBBORN = ["sh", "-c", "trap '' TERM; sleep 1000 & wait; wait"]
FORKING_STARTER = """
import os, threading
from example_project.leash import Leashed
leashed = Leashed(["sleep", "1000"])
if os.fork():
    print(leashed.process.pid, flush=True)
threading.Event().wait()
"""


def wait_for_tree(leashed: Leashed, size: int) -> list[int]:
    return wait_until(
        lambda: found if len(found := find_descendants(leashed.process.pid)) == size else [],
        message=f"{size} processes under the leash",
    )


def test_exit_status_is_the_commands() -> None:
    assert Leashed(["sh", "-c", "exit 7"]).wait(10) == 7
    assert Leashed(["sh", "-c", "kill -9 $$"]).wait(10) == 128 + signal.SIGKILL


def test_stubborn_command_and_its_child_are_killed_after_the_grace_time() -> None:
    leashed = Leashed(STUBBORN, grace_s=0.2)
    tree = wait_for_tree(leashed, 2)
    assert leashed.stop() == 128 + signal.SIGKILL
    assert [pid for pid in tree if not is_gone(pid)] == []


def test_child_left_by_a_killed_command_is_killed_too() -> None:
    leashed = Leashed(STUBBORN)
    command, child = wait_for_tree(leashed, 2)
    os.kill(command, signal.SIGKILL)
    leashed.wait(10)
    wait_until(lambda: is_gone(child), message="the child lives on")


def test_folder_is_removed_when_the_command_has_ended(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    Leashed(["true"], remove=folder).wait(10)
    assert not folder.exists()


def test_command_ends_though_a_fork_of_its_starter_holds_the_pipe() -> None:
    with subprocess.Popen([sys.executable, "-c", FORKING_STARTER], stdout=subprocess.PIPE) as starter:
        assert starter.stdout
        leash = int(starter.stdout.readline())
        [fork] = set(find_children(starter.pid)) - {leash}
        starter.kill()
        try:
            wait_until(lambda: is_gone(leash), message="the leash lives on")
        finally:
            os.kill(fork, signal.SIGKILL)


def test_command_does_not_inherit_the_leashs_ignored_signals() -> None:
    script = "import signal; raise SystemExit(signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL)"
    assert Leashed([sys.executable, "-c", script]).wait(10) == 0
