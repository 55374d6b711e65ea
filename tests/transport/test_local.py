"""A process-local layer is fed in the loop that listens, from whatever thread, and nobody waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from channels.layers import get_channel_layer

from channels_progress.transport import Sender, local, make_envelope
from tests.transport.conftest import Listen
from tests.waiting import WITHIN_S, await_until

Deliver = Callable[[str], bool]
TEXTS = [str(number) for number in range(500)]


async def test_burst_from_the_listening_loop_itself_arrives_in_order(deliver: Deliver, listen: Listen) -> None:
    async with listen() as heard:
        assert all(map(deliver, TEXTS))
        await await_until(lambda: len(heard) == len(TEXTS))
    assert heard == TEXTS


async def test_other_threads_wake_the_listening_loop(deliver: Deliver, listen: Listen) -> None:
    woken = asyncio.Event()
    async with listen(woken.set) as heard:
        thread = threading.Thread(target=deliver, args=["x"])
        thread.start()
        # The loop has nothing else to wake up for: polling would hide that nobody wakes it.
        async with asyncio.timeout(WITHIN_S):
            await woken.wait()
        thread.join()
    assert heard == ["x"]


async def test_coroutine_is_heard_where_no_loop_is_known(sender: Sender, monkeypatch: Any) -> None:
    monkeypatch.setattr(local, "_listening", [])
    layer = get_channel_layer()
    await layer.group_add("g", "channel")
    envelope = make_envelope("user:1", "x", replaceable=False)
    assert await sender.adeliver("g", envelope)
    assert await layer.receive("channel") == envelope


def test_nobody_listens(deliver: Deliver, monkeypatch: Any) -> None:
    monkeypatch.setattr(local, "_listening", [])
    assert deliver("x")


def test_loop_that_has_closed_is_no_longer_fed(deliver: Deliver, monkeypatch: Any) -> None:
    monkeypatch.setattr(local, "_listening", [])
    loop = asyncio.new_event_loop()
    local.note_local_loop(loop)
    loop.close()
    assert deliver("x")


async def test_layer_that_fails_is_told_and_the_next_one_sent(deliver: Deliver, listen: Listen, caplog: Any) -> None:
    async with listen() as heard:
        local.post_locally(None, "g", {})
        deliver("x")
        await await_until(lambda: heard)
    assert [record.message for record in caplog.records] == ["A process-local layer failed with AttributeError."]
