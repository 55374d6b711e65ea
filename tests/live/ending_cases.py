"""Every way in which a Celery task can end, and what everybody is to see of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from channels_progress.records import TaskState
from channels_progress.tasks import TaskHandle, broadcast_task
from tests.live.rig import Rig
from tests.live.rig.page import Shown
from tests.worker import tasks

SUCCESS, FAILURE, REVOKED, IGNORED = TaskState.SUCCESS, TaskState.FAILURE, TaskState.REVOKED, TaskState.IGNORED
DIED = "The worker process died."
TOO_LONG = "It took longer than allowed (1 s)."
#: Result backends that others than the sender can ask.
ASKABLE = {"redis", "django-db"}

#: Sends a task with this uid, which pages watch already.
Send = Callable[[Rig, str], TaskHandle]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to end.

    Attributes:
        send: Sends the task.
        state, attempts, reason: The end, and the attempts in which it may come.
        early: Sent while no worker is online.
        when, act: What is done to it once a page shows what ``when`` asks for.
        passes: States that the page shows on the way.
        without_results: The end where nobody can ask the result backend, if it is another one.
    """

    send: Send
    state: TaskState = SUCCESS
    attempts: tuple[int, ...] = (1,)
    reason: str = ""
    early: bool = False
    when: Callable[[Shown], bool] | None = None
    act: Callable[[Rig, TaskHandle], object] = lambda rig, handle: None
    passes: tuple[str, ...] = ()
    without_results: tuple[TaskState, str] | None = None

    def expect(self, backend: str) -> tuple[TaskState, str]:
        """State and reason with this result backend."""
        if self.without_results and backend not in ASKABLE:
            return self.without_results
        return self.state, self.reason


def send(task: Any, *args: Any, **options: Any) -> Send:
    return lambda rig, uid: task.apply_async(args, task_id=uid, **options)


def send_twice(rig: Rig, uid: str) -> TaskHandle:
    tasks.add.apply_async((1, 2), task_id=uid)
    return tasks.add.apply_async((1, 2), task_id=uid)


def send_unknown(rig: Rig, uid: str) -> TaskHandle:
    """A task that was added after the worker has started."""
    added: Any = broadcast_task(app=rig.make_app(), name="added_later", shared=False)(len)
    return added.apply_async(("",), task_id=uid)


def send_then(task: Any, act: Callable[[TaskHandle], object], *args: Any, **options: Any) -> Send:
    """Do something to it before any worker could."""

    def send_it(rig: Rig, uid: str) -> TaskHandle:
        handle: TaskHandle = task.apply_async(args, task_id=uid, **options)
        act(handle)
        return handle

    return send_it


def shows(state: str, attempt: int = 1) -> Callable[[Shown], bool]:
    return lambda shown: (shown.seen.attempt, (shown.state or {}).get("state")) == (attempt, state)


def open_its_gate(rig: Rig, handle: TaskHandle) -> None:
    rig.open_gate(rig.namespace)


def send_waiting(task: Any, gate: str = "", **options: Any) -> Send:
    """It waits at a gate of the rig's own."""
    return lambda rig, uid: task.apply_async((rig.namespace + gate,), task_id=uid, **options)


CASES: Mapping[str, Case] = {
    "success": Case(send=send(tasks.add, 1, 2)),
    "exception": Case(send=send(tasks.fail, "secret"), state=FAILURE, reason="Something went wrong."),
    "public-exception": Case(send=send(tasks.fail, "public"), state=FAILURE, reason="Column 3 is not a date."),
    "retry": Case(
        send=send(tasks.retry_once, "slow"), attempts=(2,), passes=("RETRY",), when=shows("STARTED", 2),
        act=lambda rig, handle: rig.open_gate("slow"),
    ),
    "giving-up": Case(
        send=send(tasks.give_up), state=FAILURE, attempts=(2,), reason="The file is locked.", passes=("RETRY",)
    ),
    "ignore": Case(send=send(tasks.ignore), state=IGNORED),
    "reject": Case(
        send=send(tasks.reject, kwargs={"requeue": False}), state=FAILURE, reason="The worker could not take it."
    ),
    "reject-requeued": Case(send=send(tasks.reject, kwargs={"requeue": True}), attempts=(2,)),
    "sys-exit": Case(send=send(tasks.leave), state=FAILURE, reason=DIED),
    "sys-exit-acks-late": Case(send=send(tasks.leave_late), state=FAILURE, reason=DIED),
    "soft-time-limit": Case(send=send(tasks.overrun, soft_time_limit=1), state=FAILURE, reason=TOO_LONG),
    "hard-time-limit": Case(send=send(tasks.overrun, time_limit=1), state=FAILURE, reason=TOO_LONG),
    "hard-time-limit-requeued": Case(
        send=send_waiting(tasks.overrun_once, time_limit=1), attempts=(2, 3), when=shows("STARTED", 2),
        act=open_its_gate,
    ),
    "os-exit": Case(send=send(tasks.die, "exit"), state=FAILURE, reason=DIED),
    "child-killed": Case(send=send(tasks.die, "kill"), state=FAILURE, reason=DIED),
    "child-killed-once-stored": Case(
        send=send(tasks.die_once_stored, "child"), without_results=(FAILURE, DIED)
    ),
    "replace": Case(send=send(tasks.replace, 1), attempts=(2,)),
    "published-twice": Case(send=send_twice, attempts=(1, 2)),
    "unregistered": Case(
        send=send_unknown, state=FAILURE, attempts=(0,), reason="The worker does not know this task."
    ),
    "revoked-before-the-start": Case(
        send=send_then(tasks.add, lambda handle: handle.revoke(), 1, countdown=2), state=REVOKED, attempts=(0,)
    ),
    "revoked-while-it-runs": Case(
        send=send_waiting(tasks.wait, "-revoked"), when=shows("PROGRESS"),
        act=lambda rig, handle: (handle.revoke(), rig.open_gate(f"{rig.namespace}-revoked")),
    ),
    "terminated": Case(
        send=send(tasks.wait), state=REVOKED, when=shows("PROGRESS"),
        act=lambda rig, handle: handle.revoke(terminate=True),
    ),
    "cancelled-while-it-runs": Case(
        send=send(tasks.wait), state=REVOKED, reason="Enough", when=shows("PROGRESS"),
        act=lambda rig, handle: handle.cancel(reason="Enough"),
    ),
    "expired": Case(
        send=send(tasks.add, 1, expires=-5), state=REVOKED, attempts=(0,), reason="It expired before it could start."
    ),
    "expired-without-worker": Case(
        send=send(tasks.add, 1, expires=0.1), state=REVOKED, attempts=(0,),
        reason="It expired before it could start.", early=True,
    ),
    "revoked-without-worker": Case(
        # Nobody hears it: Celery tells the workers that are there.
        send=send_then(tasks.add, lambda handle: handle.revoke(), 1), early=True
    ),
    "cancelled-without-worker": Case(
        send=send_then(tasks.add, lambda handle: handle.cancel(reason="Wrong file"), 1), state=REVOKED, attempts=(0,),
        reason="Wrong file", early=True,
    ),
}  # fmt: skip
