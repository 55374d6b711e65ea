"""An awaitable whose first step is done at once."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from channels_progress.consumers.first_step import Rest, start_now

place = contextvars.ContextVar("place", default="")


async def test_what_need_not_wait_is_done_at_once() -> None:
    done = []

    async def work() -> None:
        done.append(1)

    assert start_now(work()) is None
    assert done == [1]


async def test_what_has_to_wait_goes_on_in_a_task_in_its_own_context() -> None:
    gate, seen = asyncio.Event(), []

    async def work() -> None:
        token = place.set("inside")
        await gate.wait()
        seen.append(place.get())
        await asyncio.sleep(0)
        # Raises where the context is another one.
        place.reset(token)
        seen.append(place.get())

    rest = start_now(work())
    assert isinstance(rest, Rest)
    assert place.get() == ""
    task = asyncio.create_task(finish(rest), context=rest.context)
    gate.set()
    await task
    assert seen == ["inside", ""]


async def test_cancelling_the_rest_cancels_the_work() -> None:
    gate, cleaned = asyncio.Event(), []

    async def work() -> None:
        try:
            await gate.wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(1)

    rest = start_now(work())
    assert rest is not None
    task = asyncio.create_task(finish(rest), context=rest.context)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == [1]


async def test_errors_come_out_of_either_part() -> None:
    async def work(*, late: bool) -> None:
        if late:
            await asyncio.sleep(0)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        start_now(work(late=False))
    rest = start_now(work(late=True))
    assert rest is not None
    with pytest.raises(OSError, match="gone"):
        await rest


async def finish(rest: Rest) -> None:
    await rest
