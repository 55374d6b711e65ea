"""What tests of the transport share."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from channels_progress.conf import get_namespace
from channels_progress.groups import name_group
from channels_progress.store.layer_feed import LayerFeed
from channels_progress.transport import Sender, make_envelope
from tests.channel_layers import CORE, PUBSUB, make_layers

CHANNEL = "user:1"
Listen = Callable[..., AbstractAsyncContextManager[list[str]]]


@pytest.fixture
def sender(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Sender:
    """A sender of this test's own, which a busy machine does not make impatient; and a namespace."""
    monkeypatch.setattr("channels_progress.transport.sender.SEND_TIMEOUT_S", 60.0)
    monkeypatch.setattr("channels_progress.transport.sender.LONGEST_STAND_S", 60.0)
    monkeypatch.setattr("channels_progress.transport.pacing.ROOM_WITHIN_S", 30.0)
    settings.CHANNELS_PROGRESS = {"NAMESPACE": f"test.{secrets.token_hex(6)}", "STORE": "memory", "STORE_TIMEOUT_S": 60}
    sender = Sender()
    monkeypatch.setattr("channels_progress.transport.sender._sender", sender)
    return sender


@pytest.fixture(params=[PUBSUB, CORE], ids=["pubsub", "core"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each layer of channels_redis."""
    return str(request.param)


@pytest.fixture
def layers(backend: str, settings: Any, redis_url: str) -> None:
    """Each, on the Redis that all tests use."""
    settings.CHANNEL_LAYERS = make_layers(backend, redis_url)


@pytest.fixture
def listen() -> Listen:
    """``async with listen() as heard``: the texts that come for ``CHANNEL``, and what to call after each."""

    @asynccontextmanager
    async def listen(then: Callable[[], None] = lambda: None) -> AsyncIterator[list[str]]:
        heard: list[str] = []

        def hear(envelope: Mapping[str, Any]) -> None:
            heard.append(envelope["text"])
            then()

        feed = LayerFeed(hear, lambda: None)
        run = asyncio.create_task(feed.run())
        await feed.join(CHANNEL)
        yield heard
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    return listen


@pytest.fixture
def deliver(sender: Sender) -> Callable[[str], bool]:
    """Send a text to ``CHANNEL``."""
    return lambda text: sender.deliver(
        name_group(get_namespace(), CHANNEL), make_envelope(CHANNEL, text, replaceable=False)
    )
