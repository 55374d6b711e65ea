"""Bursts over the layers of channels_redis, as they are without any options: all arrive, on one connection."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from channels_progress.conf import get_namespace
from channels_progress.groups import name_group
from example_project.embedded_redis import EmbeddedRedis
from tests.channel_layers import make_layers
from tests.store.support import CALM_PYTHON
from tests.tooling import ROOT
from tests.transport.conftest import CHANNEL, Listen
from tests.waiting import await_until

pytestmark = pytest.mark.usefixtures("layers")

Deliver = Callable[[str], bool]
TEXTS = [str(number) for number in range(500)]


async def send_from_threads(deliver: Deliver, threads: int, texts: list[str]) -> None:
    def send() -> list[bool]:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(deliver, texts))

    assert await asyncio.to_thread(send) == [True] * len(texts)


async def test_burst_of_one_thread_arrives_in_order(deliver: Deliver, listen: Listen) -> None:
    async with listen() as heard:
        await send_from_threads(deliver, 1, TEXTS)
        await await_until(lambda: len(heard) >= len(TEXTS))
    assert heard == TEXTS


async def test_burst_of_eight_threads_arrives(deliver: Deliver, listen: Listen) -> None:
    async with listen() as heard:
        await send_from_threads(deliver, 8, TEXTS)
        await await_until(lambda: len(heard) >= len(TEXTS))
    assert sorted(heard, key=int) == TEXTS


SENDING_PROCESS = """
import json, sys
from django.conf import settings
layers, group, texts = map(json.loads, sys.argv[1:])
settings.configure(CHANNEL_LAYERS=layers)
from channels_progress.transport import get_sender, make_envelope, pacing, sender
sender.SEND_TIMEOUT_S = sender.LONGEST_STAND_S = 60
pacing.ROOM_WITHIN_S = 30
for text in texts:
    assert get_sender().deliver(group, make_envelope("user:1", text, replaceable=False))
"""


@pytest.mark.usefixtures("sender")
async def test_bursts_of_four_processes_arrive(listen: Listen, settings: Any) -> None:
    """One process alone sends hardly faster than another one reads; four do."""
    group = name_group(get_namespace(), CHANNEL)
    parts = [TEXTS[start::4] for start in range(4)]
    async with listen() as heard:
        await asyncio.gather(*(run_python(SENDING_PROCESS, settings.CHANNEL_LAYERS, group, part) for part in parts))
        await await_until(lambda: len(heard) >= len(TEXTS))
    assert sorted(heard, key=int) == TEXTS
    assert [[text for text in heard if text in part] for part in parts] == parts


async def run_python(code: str, *arguments: Any) -> None:
    command = [*CALM_PYTHON, "-c", code, *map(json.dumps, arguments)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    assert await process.wait() == 0


async def test_one_connection_carries_them_all(
    deliver: Deliver, backend: str, own_redis: EmbeddedRedis, settings: Any
) -> None:
    settings.CHANNEL_LAYERS = make_layers(backend, own_redis.url, capacity=10_000)
    with redis.Redis.from_url(own_redis.url) as control:
        # A listener of the core layer that does not read, and opens no connections.
        control.zadd(f"asgi:group:{name_group(get_namespace(), CHANNEL)}", {"specific.somebody!x": time.time()})
        counts = [len(control.client_list())]
        for texts in (["first"], TEXTS):
            await send_from_threads(deliver, 8, texts)
            counts.append(len(control.client_list()))
    assert counts == [1, 2, 2]
