"""Runs the doctor's steps one after another, and keeps what came of each."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

# Anything may raise with a URL in its text.
_CREDENTIALS = re.compile(r"//[^/@\s]*@")


class Status(StrEnum):
    """What came of a step."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(Exception):
    """Ends a step that did not simply work.

    Attributes:
        status: Which of the other three it is.
        detail: What was found.
        write: The line to write, or the command to run, to mend it.
    """

    status = Status.FAILED

    def __init__(self, detail: str, write: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.write = write


class Problem(Finding):
    """It cannot work like this."""


class Doubt(Finding):
    """It works here, but perhaps not where it matters."""

    status = Status.WARNING


class NotUsed(Finding):
    """There is nothing to try."""

    status = Status.SKIPPED


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to try.

    Attributes:
        name: One word.
        run: Tries it and returns one line about what it saw. Raises a ``Finding``, or anything, where it did not work.
        needs: Names of steps without which there is no point in this one.
    """

    name: str
    run: Callable[[], str]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one step; without passwords.

    Attributes:
        name: The step's.
        status: How it went.
        detail: One line about what was seen or went wrong.
        write: What to write or to run, or an empty string.
        took_ms: How long it took, in milliseconds.
    """

    name: str
    status: Status
    detail: str
    write: str = ""
    took_ms: float = 0.0


def diagnose(steps: Sequence[Step], *, skip: Collection[str] = ()) -> Iterator[Outcome]:
    """Try each step, in order, and yield its outcome as soon as it is known."""
    unusable: set[str] = set()
    for step in steps:
        missing = [name for name in step.needs if name in unusable]
        if step.name in skip:
            outcome = Outcome(step.name, Status.SKIPPED, "as you asked")
        elif missing:
            outcome = Outcome(step.name, Status.SKIPPED, f"needs {', '.join(missing)}")
        else:
            outcome = _try(step)
        if outcome.status in {Status.FAILED, Status.SKIPPED}:
            unusable.add(step.name)
        yield outcome


def _try(step: Step) -> Outcome:
    began = time.perf_counter()
    try:
        status, detail, write = Status.OK, step.run(), ""
    except Finding as finding:
        status, detail, write = finding.status, finding.detail, finding.write
    except Exception as error:
        # Anything of the project or of a server may break here; the rest is still worth trying.
        status, detail, write = Status.FAILED, f"{type(error).__name__}: {error}", ""
    took_ms = round((time.perf_counter() - began) * 1000, 1)
    return Outcome(step.name, status, _CREDENTIALS.sub("//**@", detail), write, took_ms)
