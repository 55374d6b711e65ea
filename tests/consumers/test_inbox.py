"""An inbox over the socket: answered as asked for, and sent again whenever it has changed, from wherever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.db import DatabaseError

from channels_progress.consumers import audience_hub, inbox_view, inbox_watch
from channels_progress.consumers.consumer import ProgressConsumer
from channels_progress.consumers.protocol import inbox_refused_text
from channels_progress.models import InboxItem
from channels_progress.notifications import anotify, frames, marks, pages
from tests.consumers.doubles import Page, UnrulyStore
from tests.consumers.hearing import NOBODY, OURS, ask, opened, settle
from tests.consumers.sockets import make_socket
from tests.waiting import await_until

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("settled", "store")]


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice", first_name="Alice")


@pytest.fixture
def options(settings: Any, store: UnrulyStore) -> Callable[..., None]:
    """Sets more options."""

    def set_options(**options: Any) -> None:
        settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, **options}

    return set_options


def read(frame: dict[str, Any]) -> tuple[Any, ...]:
    """The texts, total and unread count, and the page of how many."""
    results, pagination = frame["results"], frame["pagination"]
    texts = [item["notification"]["message"] for item in results["notifications"]]
    counts = results["total_notifications"], results["unread_notifications"]
    return texts, *counts, (pagination["page"], pagination["total_pages"])


async def hear(socket: WebsocketCommunicator) -> tuple[Any, ...]:
    return read(await socket.receive_json_from())


async def test_a_page_is_answered_in_the_shapes_of_the_api(alice: User) -> None:
    await anotify(alice, "Your import has finished", level="success", actor=alice)
    item = await InboxItem.objects.aget()
    stamp = item.created_at.isoformat().replace("+00:00", "Z")
    person = {"id": alice.pk, "name": "alice", "first_name": "Alice", "last_name": ""}
    notification = {"message": "Your import has finished", "model": "", "instance": {}, "method": "UNDEFINED",
                    "changed_data": {}, "level": "success", "kind": "", "url": None}  # fmt: skip
    row = {"id": item.pk, "uid": str(item.uid), "user": person, "notification": notification, "is_read": False,
           "custom_info": None, "created_by": person, "status": "ACTIVE", "created_at": stamp,
           "updated_at": stamp}  # fmt: skip
    async with opened(alice, offers=OURS) as socket:
        assert await ask(socket, type="inbox") == {
            "type": "inbox",
            "v": 1,
            "results": {
                "total_notifications": 1, "read_notifications": 0, "unread_notifications": 1, "notifications": [row]
            },
            "pagination": {"page": 1, "page_size": 25, "total_pages": 1, "total_items": 1},
        }  # fmt: skip


async def test_whatever_changes_is_sent_with_the_filter_and_page_kept(alice: User) -> None:
    for number in range(3):
        await anotify(alice, f"{number}")
    async with opened(alice, offers=OURS) as all_of_it, opened(alice, offers=OURS) as unread:
        assert read(await ask(all_of_it, type="inbox")) == (["2", "1", "0"], 3, 3, (1, 1))
        assert read(await ask(unread, type="inbox", is_read=False, page=2, page_size=2)) == (["0"], 3, 3, (2, 2))
        await anotify(alice, "3")
        assert await hear(all_of_it) == (["3", "2", "1", "0"], 4, 4, (1, 1))
        assert await hear(unread) == (["1", "0"], 4, 4, (2, 2))
        newest = await InboxItem.objects.alatest("pk")
        await sync_to_async(marks.mark_read)(alice, [newest.uid])
        assert await hear(all_of_it) == (["3", "2", "1", "0"], 4, 3, (1, 1))
        assert await hear(unread) == (["0"], 4, 3, (2, 2))


async def test_a_page_that_is_no_more_gives_way_to_the_last_one(alice: User) -> None:
    for number in range(3):
        await anotify(alice, f"{number}")
    async with opened(alice, offers=OURS) as socket:
        assert read(await ask(socket, type="inbox", page=3, page_size=1)) == (["0"], 3, 3, (3, 3))
        oldest = await InboxItem.objects.aearliest("pk")
        await sync_to_async(marks.remove)(alice, [oldest.uid])
        assert await hear(socket) == (["1"], 2, 2, (2, 2))
        await sync_to_async(marks.remove_all)(alice)
        assert await hear(socket) == ([], 0, 0, (1, 1))


@pytest.mark.parametrize(
    ("wanted", "field", "reason"),
    [
        ({"page": "x"}, "page", "a number from 1 is expected"),
        ({"page": 0}, "page", "a number from 1 is expected"),
        ({"page": True}, "page", "a number from 1 is expected"),
        ({"page": [1]}, "page", "a number from 1 is expected"),
        ({"page": 9}, "page", "there is no page 9"),
        ({"page_size": 0}, "page_size", "a number from 1 is expected"),
        ({"page_size": 101}, "page_size", "at most 100 is expected"),
        ({"is_read": "maybe"}, "is_read", "true or false is expected"),
        ({"is_read": {}}, "is_read", "true or false is expected"),
    ],
)
async def test_what_is_not_possible_is_said_and_the_view_stays(
    alice: User, wanted: dict[str, Any], field: str, reason: str
) -> None:
    async with opened(alice, offers=OURS) as socket:
        await ask(socket, type="inbox", is_read=False)
        refused = {"type": "inbox", "v": 1, "error": {"field": field, "reason": reason}}
        assert await ask(socket, type="inbox", **wanted) == refused
        await anotify(alice, "heard")
        assert await hear(socket) == (["heard"], 1, 1, (1, 1))


async def test_null_is_whatever_it_would_be_if_it_were_not_there(alice: User) -> None:
    async with opened(alice, offers=OURS) as socket:
        answer = await ask(socket, type="inbox", page=None, page_size=None, is_read=None)
        assert read(answer) == ([], 0, 0, (1, 1))


async def test_nobody_has_an_inbox(options: Callable[..., None]) -> None:
    options(ENABLE_ANONYMOUS=True)
    refused = {"type": "inbox", "v": 1, "error": {"field": "user", "reason": "nobody is logged in"}}
    async with opened(NOBODY, offers=OURS) as socket:
        assert await ask(socket, type="inbox") == refused
    async with opened(User(pk=1, is_active=False), offers=OURS) as socket:
        assert await ask(socket, type="inbox") == refused


async def test_nobody_hears_of_anothers_inbox(alice: User) -> None:
    bob = await User.objects.acreate(username="bob")
    async with opened(alice, offers=OURS) as socket:
        assert read(await ask(socket, type="inbox")) == ([], 0, 0, (1, 1))
        await anotify(bob, "for bob")
        await anotify(alice, "for alice")
        assert await hear(socket) == (["for alice"], 1, 1, (1, 1))


async def open_at(name: str, user: User) -> WebsocketCommunicator:
    """The open inbox of this user with this tenant, which a middleware of the project finds out."""

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        tenant.set(name)
        await ProgressConsumer()(scope, receive, send)

    socket = make_socket(application=application, user=user)
    await socket.connect()
    assert read(await ask(socket, type="inbox")) == ([], 0, 0, (1, 1))
    return socket


async def test_tenants_have_inboxes_of_their_own(alice: User, options: Callable[..., None]) -> None:
    options(NAMESPACE=tenant.get, RESYNC_S=0.05)
    sockets = {name: await open_at(name, alice) for name in ("red", "blue")}
    for name, socket in sockets.items():
        tenant.set(name)
        await anotify(alice, name)
        frame = await socket.receive_json_from()
        assert read(frame) == ([name], 1, 1, (1, 1))
    # The comparison, too, runs for each tenant.
    await InboxItem.objects.all().adelete()
    for socket in sockets.values():
        assert await hear(socket) == ([], 0, 0, (1, 1))
        await socket.disconnect()


async def test_a_closed_inbox_is_not_sent_any_more(alice: User) -> None:
    async with opened(alice, offers=OURS) as socket:
        await ask(socket, type="inbox")
        await socket.send_json_to({"type": "inbox", "open": False})
        await settle(socket)
        await anotify(alice, "not heard")
        await settle(socket)
        assert read(await ask(socket, type="inbox")) == (["not heard"], 1, 1, (1, 1))


async def test_what_no_hint_has_told_is_found(
    alice: User, options: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    options(RESYNC_S=0.05)
    monkeypatch.setattr(inbox_view.InboxView, "hear", lambda self, envelope: None)
    async with opened(alice, offers=OURS) as socket:
        assert read(await ask(socket, type="inbox")) == ([], 0, 0, (1, 1))
        await anotify(alice, "lost")
        assert await hear(socket) == (["lost"], 1, 1, (1, 1))
        await InboxItem.objects.all().adelete()
        assert await hear(socket) == ([], 0, 0, (1, 1))


async def test_a_reading_that_shows_nothing_new_is_not_sent(alice: User) -> None:
    async with opened(alice, offers=OURS) as socket:
        await ask(socket, type="inbox", is_read=True)
        (view,) = next(iter(inbox_watch.get_inbox_watch()._views.values()))
        before = view._read_at
        view.catch_up_soon()
        await await_until(lambda: view._read_at > before)
        await settle(socket)


async def test_a_database_that_is_away_is_said_once_and_asked_again(
    alice: User, options: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    options(RESYNC_S=0.05)
    failures = [DatabaseError("secret")] * 6

    def make_unruly(module: Any, name: str) -> None:
        function = getattr(module, name)

        def fail(*args: Any) -> Any:
            if failures:
                raise failures.pop()
            return function(*args)

        monkeypatch.setattr(module, name, fail)

    make_unruly(frames, "read_inbox")
    make_unruly(pages, "find_versions")
    async with opened(alice, offers=OURS) as socket:
        assert read(await ask(socket, type="inbox")) == ([], 0, 0, (1, 1))
    assert not failures
    assert caplog.messages == ["Inboxes could not be read: DatabaseError."]


async def test_a_burst_of_changes_is_not_read_one_by_one(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    readings: list[None] = []
    read_again = frames.read_inbox_again
    monkeypatch.setattr(frames, "read_inbox_again", lambda *args: (readings.append(None), read_again(*args))[1])
    monkeypatch.setattr(inbox_view, "PAUSE_S", 3.0)
    async with opened(alice, offers=OURS) as socket:
        await ask(socket, type="inbox", page_size=1)
        for number in range(30):
            await anotify(alice, f"{number}")
        while await hear(socket) != (["29"], 30, 30, (1, 30)):
            pass
    assert len(readings) < 15


async def test_nothing_is_left_behind(alice: User) -> None:
    async with opened(alice, offers=OURS) as socket:
        await ask(socket, type="inbox")
        watch = inbox_watch.get_inbox_watch()
        running = watch._running
    assert (watch._views, watch._running) == ({}, None)
    assert running is not None
    await await_until(running.done)
    assert not audience_hub._hubs[asyncio.get_running_loop()]
    assert inbox_watch.get_inbox_watch() is not watch


async def test_who_says_so_in_the_url_has_it_at_once(alice: User) -> None:
    await anotify(alice, "waiting")
    async with opened(alice, "?inbox=true", OURS) as socket:
        assert await hear(socket) == (["waiting"], 1, 1, (1, 1))
        await anotify(alice, "live")
        assert await hear(socket) == (["live", "waiting"], 2, 2, (1, 1))


async def test_views_told_together_take_turns_and_one_told_alone_does_not_wait(alice: User) -> None:
    views = [inbox_view.InboxView(Page().outbox, alice, {}, inbox_refused_text) for _ in range(1_000)]
    now = asyncio.get_running_loop().time()
    for view in views:
        view.hear({"among": len(views)})
    turns = [view._timer.when() - now for view in views if view._timer]
    assert len(turns) == len(views)
    assert max(turns) - min(turns) > 4.0
    for view in views:
        view.hear({})
    now = asyncio.get_running_loop().time()
    assert all(view._timer.when() <= now for view in views if view._timer)
    for view in views:
        view.close()
