"""Stored events reach those who were away: each once, in order, and only who has not acknowledged them."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import DatabaseError

from channels_progress import inbox
from channels_progress.audiences import ALL, Audience, user_audience
from channels_progress.broadcast_events import message_event
from channels_progress.broadcasts import asend_to_all, asend_to_user
from channels_progress.consumers import listener
from channels_progress.consumers.audience_hub import get_audience_hub
from channels_progress.consumers.listener import BATCH
from channels_progress.models import Notification, Receipt
from channels_progress.transport import make_envelope
from tests.consumers.hearing import ALICE, BOB, NOBODY, OURS, ask, hear, opened, settle, subscribed
from tests.waiting import WITHIN_S, await_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store", "settled")]

DAY = timedelta(days=1)


async def store(*texts: str, audience: Audience = ALL) -> list[int]:
    """Store messages as if sent while nobody was connected; their ids."""
    return await sync_to_async(lambda: [inbox.store(audience, message_event(text), DAY).pk for text in texts])()


async def acknowledge(socket: WebsocketCommunicator, *ids: int, recipient: str) -> None:
    for number in ids:
        await socket.send_json_to({"type": "ack_message", "id": number})
    wanted = set(ids)
    written = Receipt.objects.filter(recipient=recipient).values_list("notification_id", flat=True)
    await await_until(lambda: is_written(written, wanted))


async def is_written(written: Any, wanted: set[int]) -> bool:
    return {number async for number in written.all()} >= wanted


async def receive_ids(socket: WebsocketCommunicator, count: int) -> list[int]:
    return [(await socket.receive_json_from())["id"] for _ in range(count)]


async def test_who_was_away_gets_what_is_theirs_in_order() -> None:
    await store("one", "two")
    await store("three", audience=user_audience(ALICE))
    await store("not for Alice", audience=user_audience(BOB))
    async with opened(ALICE) as socket:
        assert [await hear(socket) for _ in range(3)] == ["one", "two", "three"]


async def test_a_replayed_message_is_the_one_that_was_sent() -> None:
    async with opened(ALICE) as online:
        await settle(online)
        assert await asend_to_user(ALICE, "kept", level="error", persist=True) is True
        live = await online.receive_json_from()
    async with opened(ALICE) as later:
        assert await later.receive_json_from() == live


async def test_one_persons_acknowledgement_takes_it_from_nobody_else() -> None:
    (number,) = await store("for all")
    async with opened(ALICE) as alice:
        assert await receive_ids(alice, 1) == [number]
        await acknowledge(alice, number, recipient="user:1")
    async with opened(ALICE) as alice, opened(BOB) as bob:
        assert await hear(bob) == "for all"
        await asend_to_all("next")
        assert await hear(alice) == "next"


async def test_only_what_a_page_listens_to_is_acknowledged() -> None:
    (number,) = await store("for Bob", audience=user_audience(BOB))
    (own,) = await store("for all")
    async with opened(ALICE) as alice:
        await alice.send_json_to({"type": "ack_message", "id": number})
        await acknowledge(alice, own, recipient="user:1")
    assert [receipt.notification_id async for receipt in Receipt.objects.all()] == [own]


async def test_a_thousand_arrive_once_each_and_in_order() -> None:
    ids = await store(*(f"n{number}" for number in range(1_000)))
    async with opened(ALICE) as socket:
        assert await receive_ids(socket, 1_000) == ids
        await asend_to_all("next")
        assert await hear(socket) == "next"


async def test_a_reading_is_not_disturbed_by_a_page_that_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def find_nothing(recipient: str, channels: Any, **options: Any) -> list[Notification]:
        asked.append(channels)
        return []

    monkeypatch.setattr(inbox, "find_unacknowledged", find_nothing)
    async with opened(ALICE, offers=OURS) as socket:
        await socket.send_json_to({"type": "subscribe", "channels": ["user:1"]})
        assert await socket.receive_json_from() == subscribed("user:1")
        await await_until(lambda: asked)
        await socket.send_json_to({"type": "unsubscribe", "channel": "user:1"})
        await settle(socket)
    assert sorted(asked[0]) == ["user:1"]


async def test_what_comes_meanwhile_waits_for_what_is_older(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = await store(*(f"old {number}" for number in range(BATCH + 1)))
    loop, is_reading, may_go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    find = inbox.find_unacknowledged

    def find_slowly(*args: Any, after_id: int, **options: Any) -> Any:
        found = find(*args, after_id=after_id, **options)
        if after_id == 0:
            loop.call_soon_threadsafe(is_reading.set)
            may_go_on.wait(WITHIN_S)
        return found

    monkeypatch.setattr(inbox, "find_unacknowledged", find_slowly)
    # Our client, whose replay nothing else waits for.
    async with opened(ALICE, offers=OURS) as socket:
        await socket.send_json_to({"type": "subscribe", "channels": ["user:1"]})
        assert await socket.receive_json_from() == subscribed("user:1")
        await socket.send_json_to({"type": "subscribe", "audiences": True})
        for _ in range(3):
            await socket.receive_json_from()
        await is_reading.wait()
        sending = asyncio.create_task(asend_to_all("new", persist=True))
        await asend_to_user(ALICE, "not stored, so it need not wait")
        may_go_on.set()
        assert await sending is True
        frames = [await socket.receive_json_from() for _ in range(len(ids) + 2)]
    texts = [frame["text"] for frame in frames if "id" in frame]
    assert texts == [*(f"old {number}" for number in range(BATCH + 1)), "new"]


async def test_what_was_read_of_a_channel_that_was_left_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    await store("old")
    loop, is_reading, may_go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    find = inbox.find_unacknowledged

    def find_slowly(*args: Any, **options: Any) -> Any:
        found = find(*args, **options)
        loop.call_soon_threadsafe(is_reading.set)
        may_go_on.wait(WITHIN_S)
        return found

    monkeypatch.setattr(inbox, "find_unacknowledged", find_slowly)
    async with opened(ALICE, offers=OURS) as socket:
        await socket.send_json_to({"type": "subscribe", "audiences": True})
        for _ in range(3):
            await socket.receive_json_from()
        await is_reading.wait()
        await socket.send_json_to({"type": "unsubscribe", "channel": "audience:all"})
        await settle(socket)
        may_go_on.set()
        # Stored, so that it waits for what is older.
        await asend_to_user(ALICE, "next", persist=True)
        assert await hear(socket) == "next"


async def test_what_was_replayed_does_not_come_again_live() -> None:
    (number,) = await store("once")
    async with opened(ALICE) as socket:
        assert await receive_ids(socket, 1) == [number]
        row = await Notification.objects.aget(pk=number)
        await sync_to_async(row.send)()
        await asend_to_all("next")
        assert await hear(socket) == "next"


async def test_an_anonymous_page_says_where_it_was(settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "ENABLE_ANONYMOUS": True}
    first, second = await store("one", "two")
    await Notification.objects.aupdate(created_at="2020-01-01T00:00:00Z")
    async with opened(NOBODY, f"?since={first}") as socket:
        assert await receive_ids(socket, 1) == [second]
    async with opened(NOBODY, offers=OURS) as socket:
        since = {"audience:all": ["", 0], "secret": ["", 0]}
        await socket.send_json_to({"type": "subscribe", "audiences": True, "since": since})
        frames = [await socket.receive_json_from() for _ in range(2)]
        # Where it did not say, it is told.
        assert frames == [subscribed("audience:all"), {**subscribed("audience:anonymous"), "id": second}]
        assert await receive_ids(socket, 2) == [first, second]


async def test_an_anonymous_page_that_says_nothing_is_told_from_where_it_counts(settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "ENABLE_ANONYMOUS": True}
    (old,) = await store("old")
    await Notification.objects.aupdate(created_at="2020-01-01T00:00:00Z")
    async with opened(NOBODY, offers=OURS) as socket:
        frame = {"type": "subscribe", "audiences": True, "since": {"audience:anonymous": ["", 0]}}
        await socket.send_json_to(frame)
        frames = [await socket.receive_json_from() for _ in range(2)]
        assert frames == [{**subscribed("audience:all"), "id": old}, subscribed("audience:anonymous")]
        await asend_to_all("new")
        assert await hear(socket) == "new"
    (missed,) = await store("missed")
    async with opened(NOBODY, f"?since={old}") as socket:
        assert await receive_ids(socket, 1) == [missed]


async def test_what_was_committed_late_is_sent_although_its_id_is_lower(settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "ENABLE_ANONYMOUS": True}
    late, seen = await store("late", "seen")
    async with opened(NOBODY, f"?since={seen}") as socket:
        assert await receive_ids(socket, 2) == [late, seen]


async def test_a_channel_left_meanwhile_is_not_replayed() -> None:
    await store("old")
    async with opened(ALICE, offers=OURS) as socket:
        assert await ask(socket, type="subscribe", channels=["user:1"]) == subscribed("user:1")
        await asend_to_user(ALICE, "next")
        assert await hear(socket) == "next"


async def test_a_database_that_fails_costs_no_socket(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **options: Any) -> Any:
        raise DatabaseError("with values")

    monkeypatch.setattr(inbox, "find_unacknowledged", fail)
    monkeypatch.setattr(inbox, "acknowledge", fail)
    async with opened(ALICE) as socket:
        await await_until(lambda: caplog.messages)
        await socket.send_json_to({"type": "ack_message", "id": 1})
        await await_until(lambda: len(caplog.messages) == 2)
        await asend_to_all("heard")
        assert await hear(socket) == "heard"
    assert caplog.messages == [
        "Stored messages could not be read: DatabaseError.",
        "Acknowledgements could not be written: DatabaseError.",
    ]


async def test_a_slow_page_is_not_closed_for_much_that_waits(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "OUTBOX_MAX_FRAMES": BATCH + 10}
    ids = await store(*(f"n{number}" for number in range(3 * BATCH)))
    reading, sent = asyncio.Event(), []

    async def send(message: dict[str, Any]) -> None:
        await reading.wait()
        sent.append(message)

    outbox = listener.Outbox(send, on_over=lambda: None)
    ear = listener.Listener(outbox, recipient="user:1")
    ear.listen(["audience:all"], {})
    # Half of what may wait, but for the one that is leaving.
    await await_until(lambda: len(outbox._waiting) == 54)
    reading.set()
    await await_until(lambda: len(sent) == len(ids))
    assert not outbox.is_over


class Far:
    """The other end of a listener's socket."""

    def __init__(self, recipient: str = "user:1") -> None:
        self.ids: list[int] = []
        outbox = listener.Outbox(self._send, on_over=lambda: None)
        self.ear = listener.Listener(outbox, recipient=recipient)

    async def _send(self, message: dict[str, Any]) -> None:
        self.ids.append(json.loads(message["text"])["id"])

    def hear(self, number: int, channel: str = "audience:all") -> None:
        text = json.dumps({"id": number})
        self.ear.hear(make_envelope(channel, text, replaceable=False, notification_id=number))


async def test_what_comes_before_the_reading_is_sent_after_it() -> None:
    waiting = await store("one", "two")
    far = Far()
    far.ear.expect()
    far.hear(waiting[-1] + 1)
    far.ear.listen(["audience:all"], {})
    await await_until(lambda: far.ids == [*waiting, waiting[-1] + 1])


async def test_what_was_held_of_a_channel_left_meanwhile_is_not_sent() -> None:
    (number,) = await store("one")
    far = Far()
    far.ear.listen(["audience:all", "news"], {})
    far.hear(number + 1, "news")
    far.hear(number + 2)
    far.ear.forget("news")
    await await_until(lambda: far.ids == [number, number + 2])


async def test_a_channel_that_is_had_again_is_sent_again_what_nobody_has_acknowledged() -> None:
    numbers = await store("one", "two")
    far = Far()
    far.ear.listen(["audience:all"], {})
    await await_until(lambda: far.ids == numbers)
    far.ear.forget("audience:all")
    far.ear.listen(["audience:all"], {})
    await await_until(lambda: far.ids == numbers * 2)


async def test_what_was_acknowledged_just_before_leaving_its_channel_counts() -> None:
    (number,) = await store("one")
    far = Far()
    far.ear.listen(["audience:all"], {})
    far.ear.acknowledge(number)
    far.ear.forget("audience:all")
    await await_until(Receipt.objects.filter(notification_id=number).aexists)


async def test_a_reading_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "RESYNC_S": 0.01}
    numbers = await store("one", "two")
    find, failures = inbox.find_unacknowledged, [DatabaseError()] * 3

    def fail(*args: Any, **options: Any) -> Any:
        if failures:
            raise failures.pop()
        return find(*args, **options)

    monkeypatch.setattr(inbox, "find_unacknowledged", fail)
    far = Far()
    far.ear.listen(["audience:all"], {})
    await await_until(lambda: far.ids == numbers)
    far.ear.close()


async def test_an_excluded_page_is_not_told_by_the_next_reading_either() -> None:
    async with opened(ALICE, "?page=mine") as mine:
        await settle(mine)
        await asend_to_all("not to mine", persist=True, exclude="mine")
        await asend_to_all("to all")
        assert await hear(mine) == "to all"
        get_audience_hub()._on_gap()
        await settle(mine)
        (number,) = await store("read")
        get_audience_hub()._on_gap()
        assert await receive_ids(mine, 1) == [number]
