"""Tasks that end in every way a Celery task can end."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from celery.exceptions import Ignore, Reject
from django.utils import translation

from channels_progress.exceptions import PublicError
from channels_progress.tasks import BroadcastTask, broadcast_task
from tests.live.rig.gates import wait_at


class BadFile(ValueError):
    """Unpicklable as it is, like many an exception of a library."""

    def __init__(self, name: str, line: int) -> None:
        super().__init__(f"{name} is not readable from line {line} on.")


@broadcast_task
def add(reporter: Any, x: int, y: int = 0) -> int:
    reporter.progress(1, 2, "Adding")
    reporter.message("Added", level="success")
    return x + y


@broadcast_task
def tell_language(reporter: Any) -> str | None:
    return translation.get_language()


@broadcast_task
def fail(reporter: Any, kind: str) -> None:
    raise {"secret": KeyError("password"), "public": PublicError("Column 3 is not a date.")}[kind]


@broadcast_task(public_errors=(BadFile,))
def fail_unpicklable(reporter: Any) -> None:
    raise BadFile("cities.csv", 7)


@broadcast_task
def unstorable(reporter: Any) -> Any:
    return object()


@broadcast_task(bind=True, default_retry_delay=0)
def retry_once(self: Any, reporter: Any, gate: str) -> int:
    if self.request.retries == 0:
        raise self.retry(countdown={"long": 60, "slow": 3}.get(gate, 0.1))
    wait_at(gate)
    return self.request.retries


@broadcast_task(autoretry_for=(PublicError,), max_retries=1, default_retry_delay=3)
def give_up(reporter: Any) -> None:
    raise PublicError("The file is locked.")


@broadcast_task
def ignore(reporter: Any) -> None:
    raise Ignore


@broadcast_task(bind=True, acks_late=True)
def reject(self: Any, reporter: Any, *, requeue: bool) -> str:
    if requeue and self.request.delivery_info["redelivered"]:
        return "redelivered"
    raise Reject("no", requeue=requeue)


@broadcast_task
def leave(reporter: Any) -> None:
    sys.exit(3)


@broadcast_task(acks_late=True)
def leave_late(reporter: Any) -> None:
    sys.exit(3)


@broadcast_task
def overrun(reporter: Any) -> None:
    wait_at("never")


@broadcast_task(acks_late=True, acks_on_failure_or_timeout=False)
def overrun_once(reporter: Any, gate: str) -> str:
    wait_at(gate)
    return "second delivery"


@broadcast_task
def die(reporter: Any, how: str) -> None:
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(1)


class DiesOnceStored(BroadcastTask):
    """Celery calls ``on_success`` between storing the result and telling anybody."""

    abstract = True

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        if retval == "child":
            os.kill(os.getpid(), signal.SIGKILL)
        # The whole worker: main process and all children.
        os.killpg(0, signal.SIGKILL)


@broadcast_task(base=DiesOnceStored)
def die_once_stored(reporter: Any, who: str) -> str:
    return who


@broadcast_task(acks_late=True)
def wait_late(reporter: Any, gate: str) -> str:
    reporter.progress(0, 1)
    wait_at(gate)
    return "went through"


@broadcast_task
def wait(reporter: Any, gate: str = "never") -> str:
    reporter.progress(0, 1)
    wait_at(gate, meanwhile=reporter.check_cancelled)
    return "went through"


@broadcast_task(bind=True)
def replace(self: Any, reporter: Any, x: int) -> Any:
    raise self.replace(add.s(x, 100))


@broadcast_task
def collect(reporter: Any, numbers: list[Any]) -> int:
    return sum(numbers)
