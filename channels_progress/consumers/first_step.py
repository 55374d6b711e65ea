"""Does the first step of an awaitable at once, and leaves only what is left of it, if anything, to a task.

A server's ``send`` hardly ever has to wait. A task for each, with its trip through the event loop, costs a fan-out
half as much again (``benchmarks/fanout.py``). Python 3.12's eager tasks do the same, but cost a task.
"""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Generator
from typing import Any


class Rest(Generator[Any, Any, None]):
    """What is left of an awaitable after its first step; await it, once, to go on.

    Attributes:
        context: Where the first step ran; the task that awaits the rest has to run there, too.
    """

    __slots__ = ("_steps", "_waits_for", "context")

    def __init__(self, waits_for: Any, steps: Generator[Any, Any, None], context: contextvars.Context) -> None:
        self._waits_for = [waits_for]
        self._steps = steps
        self.context = context

    def __await__(self) -> Generator[Any, Any, None]:
        """What ``await`` drives."""
        return self

    def send(self, value: Any) -> Any:
        """The next thing to wait for: first what the first step has found."""
        return self._waits_for.pop() if self._waits_for else self._steps.send(value)

    def throw(self, *error: Any) -> Any:
        """Cancellation, mostly: it is the awaitable's own business."""
        return self._steps.throw(*error)


def start_now(work: Awaitable[None]) -> Rest | None:
    """Do the first step of ``work``; None where that was all of it, else what is left. Raises what ``work`` raises.

    During that step ``asyncio.current_task()`` is whatever task calls this.
    """
    steps = work.__await__()
    context = contextvars.copy_context()
    try:
        waits_for = context.run(next, steps)
    except StopIteration:
        return None
    return Rest(waits_for, steps, context)
