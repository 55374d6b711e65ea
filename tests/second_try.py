"""Runs the tests, and those few that failed once more by themselves.

``python -m tests.second_try [options of pytest]``. Two cores serve a Redis, workers, servers, databases and a browser
here. What fails in that crowd, and passes right after it on a stack of its own, is told as UNSTABLE, for somebody to
mend; it does not stop what else was built. Whatever fails twice, and whatever fails in numbers, is a failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: More than these are no accident.
MOST_UNSTABLE = 4
IN_PARALLEL = ("--numprocesses", "2", "--dist", "loadgroup")
# Distributed as well: the names of grouped tests, which are noted, end with their group then.
ONCE_MORE = ("--numprocesses", "1", "--dist", "loadgroup", "--last-failed", "--last-failed-no-failures", "none")
#: What pytest exits with when all it lacks is that tests failed.
TESTS_FAILED = 1


def run_tests(options: Sequence[str], root: Path = ROOT) -> bool:
    """Whether all tests passed, those that failed at first included."""
    status = _run_pytest(root, *IN_PARALLEL, *options)
    failed = _read_failed(root) if status == TESTS_FAILED else []
    if not 0 < len(failed) <= MOST_UNSTABLE:
        return status == 0
    print(f"== once more, alone: {len(failed)} that failed", flush=True)
    is_mended = _run_pytest(root, *ONCE_MORE, *options) == 0
    for name in failed if is_mended else ():
        print(f"UNSTABLE: {name}", flush=True)
    return is_mended


def _run_pytest(root: Path, *options: str) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *options], cwd=root, check=False).returncode


def _read_failed(root: Path) -> list[str]:
    """What pytest has noted; without a note nothing can be run again."""
    note = root / ".pytest_cache" / "v" / "cache" / "lastfailed"
    return sorted(json.loads(note.read_text())) if note.exists() else []


if __name__ == "__main__":
    sys.exit(0 if run_tests(sys.argv[1:]) else 1)
