"""Frames that no page of ours sends: a defined answer to each, over a whole socket, and no traceback anywhere."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from channels_progress import asend_to_all
from channels_progress.consumers.protocol import CloseCode
from tests.consumers.doubles import UnrulyStore
from tests.consumers.hearing import ALICE, BOB, OURS, hear, opened, settle

pytestmark = pytest.mark.django_db(transaction=True)

MALFORMED, UNKNOWN_TYPE, TOO_LARGE = CloseCode.MALFORMED, CloseCode.UNKNOWN_TYPE, CloseCode.TOO_LARGE
CLOSING: dict[str, tuple[str | bytes, CloseCode]] = {
    "binary": (b"\x00\xff", MALFORMED),
    "binary JSON": (b'{"type":"ping"}', MALFORMED),
    "empty": ("", MALFORMED),
    "blank": (" \n", MALFORMED),
    "half an array": ("[1,2", MALFORMED),
    "array": ("[]", MALFORMED),
    "deep array": ("[" * 4_000, MALFORMED),
    "deep object": ('{"a":' * 800, MALFORMED),
    "100,000 brackets": ("[" * 100_000, TOO_LARGE),
    "null": ("null", MALFORMED),
    "number": ("7", MALFORMED),
    "huge number": ("9" * 4_000, MALFORMED),
    "no number": ('{"type":"ping","n":NaN}', MALFORMED),
    "duplicate keys": ('{"type":"ping","type":"subscribe"}', MALFORMED),
    "duplicate keys inside": ('{"type":"ping","more":{"a":1,"a":2}}', MALFORMED),
    "half a character": ('{"type":"unsubscribe","channel":"\\ud800"}', MALFORMED),
    "half a type": ('{"type":"\\ud800"}', MALFORMED),
    "huge id": ('{"type":"ack_message","id":' + "9" * 4_000 + "}", MALFORMED),
    "infinite id": ('{"type":"ack_message","id":1e999}', MALFORMED),
    "huge offset": ('{"type":"subscribe","token":"t","since":{"a":["",9007199254740993]}}', MALFORMED),
    **{
        f"the server's {name}": ('{"type":"' + name + '"}', UNKNOWN_TYPE)
        for name in (
            *("task", "message", "redirect", "progress", "html", "subscribed", "refused", "pong", "missing"),
            *("channels_progress.hint", "websocket.disconnect", "websocket.connect", "__class__", "dispatch"),
        )
    },
}


@pytest.mark.parametrize(("frame", "code"), CLOSING.values(), ids=CLOSING)
async def test_a_frame_of_no_page_closes_its_socket_alone(
    store: UnrulyStore, caplog: pytest.LogCaptureFixture, frame: str | bytes, code: CloseCode
) -> None:
    caplog.set_level(logging.INFO, "channels_progress")
    is_text = isinstance(frame, str)
    async with opened(BOB) as neighbour, opened(ALICE, offers=OURS) as socket:
        await settle(neighbour)
        # As a server hands it on; channels' own helper takes no empty text.
        await socket.send_input(
            {"type": "websocket.receive", "text": frame if is_text else None, "bytes": None if is_text else frame}
        )
        closing: dict[str, Any] = await socket.receive_output()
        assert (closing["type"], closing["code"]) == ("websocket.close", code)
        assert str(frame)[:20] not in closing["reason"] or not frame
        await asend_to_all("heard")
        assert await hear(neighbour) == "heard"
    assert caplog.messages == [f"A socket is closed: {closing['reason']} ({int(code)})."]
    assert [entry for entry in caplog.records if entry.exc_info] == []


@pytest.mark.parametrize("version", ["2", '"1"', "null", "[]", "1e999"])
async def test_pages_of_another_version_are_understood_as_far_as_may_be(store: UnrulyStore, version: str) -> None:
    async with opened(ALICE, offers=OURS) as socket:
        await socket.send_to(text_data='{"type":"ping","v":' + version + "}")
        assert await socket.receive_json_from() == {"type": "pong", "v": 1}


async def test_another_subprotocol_is_not_spoken(store: UnrulyStore) -> None:
    async with opened(ALICE, offers=("channels-progress.v2",)) as socket:
        # A client of the reference offers none: it is told what it belongs to, and nothing of our protocol.
        await settle(socket)
        await asend_to_all("heard")
        assert await hear(socket) == "heard"
