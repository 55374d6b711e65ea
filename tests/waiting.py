"""Waiting for a condition with a deadline, instead of sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

Value = TypeVar("Value")

LOOK_AGAIN_S = 0.01
# Much longer than anything takes: a busy machine is no reason to fail.
WITHIN_S = 60.0
#: ``CHANNELS_PROGRESS`` of tests whose store stays where it is: it may be slow to answer.
PATIENT = {"STORE_TIMEOUT_S": 15.0}


def wait_until(condition: Callable[[], Value], *, within_s: float = WITHIN_S, message: object = "") -> Value:
    """Call ``condition`` until its answer is true, and return that answer; fail the test after ``within_s``."""
    deadline = time.monotonic() + within_s
    while not (answer := condition()):
        if time.monotonic() >= deadline:
            _fail(condition, within_s, message)
        time.sleep(LOOK_AGAIN_S)
    return answer


async def await_until(
    condition: Callable[[], Value | Awaitable[Value]], *, within_s: float = WITHIN_S, message: object = ""
) -> Value:
    """The same inside an event loop; ``condition`` may be a coroutine function."""
    deadline = time.monotonic() + within_s
    while True:
        answer = condition()
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() >= deadline:
            _fail(condition, within_s, message)
        await asyncio.sleep(LOOK_AGAIN_S)


def _fail(condition: Callable[[], object], within_s: float, message: object) -> None:
    pytest.fail(f"{message or getattr(condition, '__qualname__', condition)}: not within {within_s} s", pytrace=True)
