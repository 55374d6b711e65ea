"""What a failed task tells the person watching: nothing that its exception says, unless it was meant for them."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded, Terminated, TimeLimitExceeded, WorkerLostError
from celery import Celery
from celery.exceptions import Reject
from django.core.exceptions import ValidationError
from django.db import IntegrityError, OperationalError

from channels_progress.exceptions import PublicError
from channels_progress.pages import build_frame
from channels_progress.records import TaskState
from channels_progress.store import get_store
from channels_progress.tasks import broadcast_task
from tests.tasks.test_lifecycle import trace

SECRETS = ("hunter2", "/srv/keys/id_rsa", "SELECT", "Traceback", "reasons.py", "line ")
SECRET = f'{SECRETS}: File "/srv/keys/id_rsa", line 3 redis://:hunter2@db/0'


class Weird(Exception):
    """One that speaks where nobody has asked it."""

    __str__ = __repr__ = lambda self: SECRET
    args = (SECRET,)
    message = reason = detail = SECRET


def made_with_a_note() -> Exception:
    error = ValueError(SECRET)
    error.add_note(SECRET)
    return error


def made_from_another() -> Exception:
    error = PublicError("Row 3 has no name.")
    error.__cause__ = error.__context__ = OperationalError(SECRET)
    error.add_note(SECRET)
    return error


ERRORS: tuple[BaseException, ...] = (
    *(
        kind(SECRET)
        for kind in (
            Exception, ValueError, KeyError, TypeError, AssertionError, ImportError, MemoryError, RecursionError,
            StopIteration, Weird, IntegrityError, OperationalError, ValidationError, TimeLimitExceeded,
            SoftTimeLimitExceeded, Terminated, WorkerLostError, Reject, SystemExit,
        )
    ),
    FileNotFoundError(2, SECRET, "/srv/keys/id_rsa"),
    UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET),
    SyntaxError(SECRET, ("/srv/keys/id_rsa", 3, 1, "hunter2")),
    subprocess.CalledProcessError(1, ["mysql", "-phunter2"], SECRET, SECRET),
    ExceptionGroup(SECRET, [PublicError(SECRET), ValueError(SECRET)]),
    TimeLimitExceeded({"limit": SECRET}),
    made_with_a_note(),
)  # fmt: skip


@broadcast_task(name="reasons.fail")
def fail(reporter: Any, error: BaseException) -> None:
    raise error


def read_all(uid: str) -> tuple[Any, str]:
    """The state, and everything that a page could get to know of this task."""
    snapshot = get_store().read(uid)
    assert snapshot is not None
    return snapshot.record.state, json.dumps([repr(snapshot), build_frame(snapshot)])


@pytest.mark.parametrize("number", range(len(ERRORS)), ids=[type(error).__name__ for error in ERRORS])
def test_nothing_of_an_error_is_told(queued: Celery, number: int) -> None:
    uid = f"r{number}"
    # Celery lets it through, and so ends the worker process.
    with suppress(SystemExit):
        trace(queued, "reasons.fail", ERRORS[number], uid=uid)
    state, told = read_all(uid)
    assert state is TaskState.FAILURE
    assert [secret for secret in SECRETS if secret in told] == []


def test_of_a_public_error_its_own_text_is_told_and_nothing_else(queued: Celery) -> None:
    trace(queued, "reasons.fail", made_from_another(), uid="public")
    state, told = read_all("public")
    assert state is TaskState.FAILURE
    assert "Row 3 has no name." in told
    assert [secret for secret in SECRETS if secret in told] == []
