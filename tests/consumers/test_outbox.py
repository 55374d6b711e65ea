"""The frames of one socket on their way out."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import pytest
from django.test import override_settings

from channels_progress.consumers.outbox import Outbox
from channels_progress.consumers.protocol import CloseCode
from tests.waiting import await_until


class Socket:
    """A server's ``send`` that can be held back, as uvicorn's is while a page does not read."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.open = asyncio.Event()
        self.open.set()
        self.ended = 0
        self.error: Exception | None = None
        self.outbox = Outbox(self.send, self.end)

    async def send(self, message: dict[str, Any]) -> None:
        await self.open.wait()
        if self.error:
            raise self.error
        self.sent.append(message.get("text") or message["code"])

    def end(self) -> None:
        self.ended += 1

    def hold(self) -> None:
        """Let one frame hang."""
        self.open.clear()
        self.outbox.push("hangs")


@pytest.fixture
async def socket() -> Socket:
    return Socket()


async def test_idle_outbox_sends_at_once_and_needs_no_task(socket: Socket) -> None:
    tasks = asyncio.all_tasks()
    socket.outbox.push("a")
    socket.outbox.push("b", channel="c", replaceable=True)
    assert socket.sent == ["a", "b"]
    assert asyncio.all_tasks() == tasks


async def test_newer_frame_replaces_the_one_that_waits_and_messages_are_kept(socket: Socket) -> None:
    socket.hold()
    for text, replaceable in (("1", True), ("2", False), ("3", True), ("4", True), ("5", False), ("6", True)):
        socket.outbox.push(text, channel="c", replaceable=replaceable)
    socket.outbox.push("other", channel="d", replaceable=True)
    socket.open.set()
    await await_until(lambda: socket.sent == ["hangs", "2", "5", "6", "other"])


async def test_reading_never_takes_the_place_of_a_hint_that_may_be_newer(socket: Socket) -> None:
    socket.hold()
    socket.outbox.push("hint", channel="c", replaceable=True)
    socket.outbox.push("reading")
    socket.open.set()
    await await_until(lambda: socket.sent == ["hangs", "hint", "reading"])


async def test_outbox_is_idle_again_after_it_was_held_back(socket: Socket) -> None:
    socket.hold()
    socket.open.set()
    await await_until(lambda: socket.sent == ["hangs"] and socket.outbox._task is None)
    socket.outbox.push("next")
    assert socket.sent == ["hangs", "next"]


@override_settings(CHANNELS_PROGRESS={"STORE": "memory", "OUTBOX_MAX_FRAMES": 3})
async def test_overflowing_outbox_closes_its_socket(socket: Socket) -> None:
    socket.hold()
    for number in range(4):
        assert not socket.outbox.is_over
        socket.outbox.push(str(number), channel="c")
    assert socket.outbox.is_over
    socket.open.set()
    await await_until(lambda: socket.ended)
    # The frame under way is given up: nobody knows when it would leave.
    assert socket.sent == [CloseCode.TOO_SLOW]


@override_settings(CHANNELS_PROGRESS={"STORE": "memory", "OUTBOX_MAX_CHARS": 100})
async def test_few_long_frames_overflow_as_well(socket: Socket) -> None:
    socket.hold()
    for text in ("a" * 60, "b" * 100, "c" * 20):
        socket.outbox.push(text, channel="c", replaceable=True)
    socket.open.set()
    await await_until(lambda: socket.sent == ["hangs", "c" * 20])
    socket.hold()
    for text in ("d" * 50, "e" * 50):
        socket.outbox.push(text)
    assert not socket.outbox.is_over
    socket.outbox.push("f")
    assert socket.outbox.is_over


async def test_replaceable_frames_never_overflow(socket: Socket) -> None:
    socket.hold()
    for number in range(1000):
        socket.outbox.push(str(number), channel="c", replaceable=True)
    socket.open.set()
    await await_until(lambda: socket.sent == ["hangs", "999"])


@override_settings(CHANNELS_PROGRESS={"STORE": "memory", "SLOW_SOCKET_S": 5.0})
async def test_socket_that_takes_too_long_over_one_frame_is_closed(socket: Socket) -> None:
    socket.outbox.close_if_slow(time.monotonic() + 100)
    assert not socket.outbox.is_over
    socket.hold()
    socket.outbox.close_if_slow(time.monotonic() + 4.9)
    assert not socket.outbox.is_over
    socket.outbox.close_if_slow(time.monotonic() + 5.1)
    socket.open.set()
    await await_until(lambda: socket.sent == [CloseCode.TOO_SLOW])


async def test_page_that_never_reads_is_left_behind(socket: Socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels_progress.consumers.outbox.CLOSE_TIMEOUT_S", 0.02)
    socket.hold()
    socket.outbox.close(CloseCode.TOO_SLOW, "too slow")
    await await_until(lambda: socket.ended == 1)
    assert socket.sent == []


@pytest.mark.parametrize("hold", [False, True])
async def test_socket_that_is_gone_is_given_up_silently(
    socket: Socket, caplog: pytest.LogCaptureFixture, hold: bool
) -> None:
    if hold:
        socket.hold()
    socket.error = OSError("gone")
    socket.outbox.push("a")
    socket.open.set()
    await await_until(lambda: socket.ended == 1)
    assert socket.outbox.is_over
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


async def test_defect_of_a_server_is_logged_once(socket: Socket, caplog: pytest.LogCaptureFixture) -> None:
    socket.error = TypeError("a defect")
    socket.outbox.push("a")
    socket.error = None
    await await_until(lambda: socket.ended == 1)
    assert socket.sent == [CloseCode.SERVER_ERROR]
    assert [record.exc_info[1].args for record in caplog.records if record.exc_info] == [("a defect",)]


async def test_discarded_outbox_ends_what_is_under_way(socket: Socket) -> None:
    before = asyncio.all_tasks()
    socket.hold()
    socket.outbox.push("waits")
    socket.outbox.discard()
    socket.outbox.push("late")
    await await_until(lambda: asyncio.all_tasks() == before)
    assert socket.sent == []
    assert not socket.ended
