"""Broadcasts, from the functions that send them to the sockets that hear them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from channels_progress.audiences import get_obj_from_channel_name
from channels_progress.broadcasts import (
    aprogress_channel,
    aredirect_channel,
    asend_html_to_all,
    asend_to_all,
    asend_to_anonymous,
    asend_to_authenticated,
    asend_to_channel,
    asend_to_user,
)
from channels_progress.tokens import issue_subscription_token
from channels_progress.viewers import Viewer
from tests.consumers.doubles import UnrulyStore
from tests.consumers.hearing import ALICE, BOB, NOBODY, OURS, ask, hear, opened, settle, subscribed
from tests.consumers.sockets import make_socket

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store", "settled")]

MALFORMED = 4400


@pytest.fixture
def allow(settings: Any, store: UnrulyStore) -> Any:
    """Sets an authorizer, and other settings beside it."""

    def allow(authorizer: Any = None, **others: Any) -> None:
        settings.CHANNELS_PROGRESS = {
            **settings.CHANNELS_PROGRESS, "SUBSCRIPTION_AUTHORIZER": authorizer, **others
        }  # fmt: skip

    return allow


async def test_a_plain_client_hears_what_is_for_it(allow: Any) -> None:
    async with opened(ALICE) as alice, opened(BOB) as bob:
        await settle(alice)
        await settle(bob)
        assert await asend_to_user(ALICE, "yours") is True
        assert await asend_to_all("everybody") is True
        assert await asend_to_authenticated("members") is True
        assert [await hear(alice) for _ in range(3)] == ["yours", "everybody", "members"]
        assert [await hear(bob) for _ in range(2)] == ["everybody", "members"]


async def test_an_anonymous_client_hears_what_is_for_it(allow: Any) -> None:
    allow(ENABLE_ANONYMOUS=True)
    async with opened(NOBODY) as visitor, opened(ALICE) as alice:
        await settle(visitor)
        await settle(alice)
        await asend_to_anonymous("visitors")
        await asend_to_authenticated("members")
        await asend_to_all("everybody")
        assert [await hear(visitor) for _ in range(2)] == ["visitors", "everybody"]
        assert [await hear(alice) for _ in range(2)] == ["members", "everybody"]


@pytest.mark.parametrize(
    ("switch", "heard"),
    [("ENABLE_ALL", ["members", "yours"]), ("ENABLE_AUTHENTICATED", ["everybody"])],
)
async def test_what_is_switched_off_is_off_on_both_sides(allow: Any, switch: str, heard: list[str]) -> None:
    async with opened(ALICE) as before:
        await settle(before)
        allow(**{switch: False})
        async with opened(ALICE) as alice:
            await settle(alice)
            answers = [await asend_to_all("everybody"), await asend_to_authenticated("members")]
            answers.append(await asend_to_user(ALICE, "yours"))
            assert answers.count(True) == len(heard)
            assert answers.count(None) == 3 - len(heard)
            assert [await hear(alice) for _ in heard] == heard
            # Sent by a process whose settings say otherwise.
            allow()
            await asend_to_all("everybody")
            await asend_to_user(ALICE, "yours")
            assert await hear(alice) == ("yours" if "yours" in heard else "everybody")


async def test_an_anonymous_socket_is_closed_before_it_is_accepted(allow: Any) -> None:
    assert await make_socket(offers=(), user=NOBODY).connect() == (False, 4403)


async def test_an_answer_repeats_the_number_of_what_was_asked() -> None:
    token = issue_subscription_token(Viewer(ALICE), ["news"])
    async with opened(ALICE, offers=OURS) as socket:
        assert await ask(socket, type="subscribe", token=token, ref=3) == {**subscribed("news"), "ref": 3}
        assert await ask(socket, type="subscribe", token="bad", ref=4) == {"type": "refused", "v": 1, "ref": 4}
        assert await ask(socket, type="subscribe", audiences=True, ref=0) == {**subscribed("audience:all"), "ref": 0}


async def test_our_client_asks_for_its_audiences() -> None:
    async with opened(ALICE, offers=OURS) as socket:
        await asend_to_all("not heard yet")
        await socket.send_json_to({"type": "subscribe", "audiences": True})
        frames = [await socket.receive_json_from() for _ in range(3)]
        assert frames == [subscribed("audience:all"), subscribed("audience:authenticated"), subscribed("user:1")]
        await asend_to_all("heard")
        assert await hear(socket) == "heard"


async def test_who_belongs_to_nothing_is_told(allow: Any) -> None:
    allow(ENABLE_ALL=False, ENABLE_AUTHENTICATED=False)
    async with opened(ALICE, offers=OURS) as socket:
        assert await ask(socket, type="subscribe", audiences=True) == {"type": "refused", "v": 1}


async def test_nobody_may_subscribe_by_name_by_default() -> None:
    async with opened(ALICE, offers=OURS) as socket:
        assert await ask(socket, type="subscribe", channels=["news"]) == {"type": "refused", "v": 1, "channel": "news"}


async def test_the_authorizer_decides_once_for_each_channel(allow: Any) -> None:
    asked: list[tuple[Any, str]] = []

    async def authorize(user: Any, channel: str) -> bool:
        asked.append((user, channel))
        return channel == "news"

    allow(authorize)
    async with opened(ALICE, offers=OURS) as socket:
        await socket.send_json_to({"type": "subscribe", "channels": ["secret", "news", "news"]})
        frames = [await socket.receive_json_from() for _ in range(2)]
        assert frames == [{"type": "refused", "v": 1, "channel": "secret"}, subscribed("news")]
        assert asked == [(ALICE, "secret"), (ALICE, "news")]
        await asend_to_channel("secret", "not heard")
        await asend_to_channel("news", "heard")
        assert await hear(socket) == "heard"


async def test_names_that_mean_nothing_are_refused_without_a_word(allow: Any, caplog: pytest.LogCaptureFixture) -> None:
    allow(lambda user, channel: bool(get_obj_from_channel_name(channel)))
    names = ["nonsense", "no.model-1", "auth.group-x", "auth.group-99"]
    async with opened(ALICE, offers=OURS) as socket:
        await socket.send_json_to({"type": "subscribe", "channels": names})
        frames = [await socket.receive_json_from() for _ in names]
    assert frames == [{"type": "refused", "v": 1, "channel": name} for name in names]
    assert caplog.records == []


async def test_an_authorizer_that_fails_says_no(allow: Any, caplog: pytest.LogCaptureFixture) -> None:
    def authorize(user: Any, channel: str) -> bool:
        raise LookupError(channel)

    allow(authorize)
    async with opened(ALICE, offers=OURS) as socket:
        assert await ask(socket, type="subscribe", channels=["a"]) == {"type": "refused", "v": 1, "channel": "a"}
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "SUBSCRIPTION_AUTHORIZER failed for channel 'a'; refused."
    ]


@pytest.mark.parametrize("channel", ["audience:anonymous", "audience:x", "tasks:x", "task:", "x" * 301])
async def test_no_authorizer_gives_what_is_not_to_be_had(allow: Any, channel: str) -> None:
    allow(lambda user, name: True)
    async with opened(ALICE, offers=OURS) as socket:
        refused = {"type": "refused", "v": 1, "channel": channel}
        assert await ask(socket, type="subscribe", channels=[channel]) == refused


async def test_whose_own_channel_it_is_need_not_ask() -> None:
    async with opened(ALICE, offers=OURS) as socket:
        await socket.send_json_to({"type": "subscribe", "channels": ["user:2", "user:1"]})
        frames = [await socket.receive_json_from() for _ in range(2)]
        assert frames == [{"type": "refused", "v": 1, "channel": "user:2"}, subscribed("user:1")]


async def test_a_token_grants_channels_but_no_audience() -> None:
    token = issue_subscription_token(Viewer(ALICE), ["import-42", "audience:anonymous"])
    async with opened(ALICE, offers=OURS) as socket, opened(BOB, offers=OURS) as other:
        assert await ask(socket, type="subscribe", token=token) == subscribed("import-42")
        assert await ask(other, type="subscribe", token=token) == {"type": "refused", "v": 1}
        await asend_to_channel("import-42", "heard")
        assert await hear(socket) == "heard"


async def test_page_channels_that_are_off_are_off_for_tokens_too(allow: Any) -> None:
    allow(lambda user, name: True, ENABLE_PAGE_CHANNELS=False)
    token = issue_subscription_token(Viewer(ALICE), ["import-42", "user:1"])
    async with opened(ALICE, offers=OURS) as socket:
        assert await ask(socket, type="subscribe", token=token) == subscribed("user:1")
        assert await ask(socket, type="subscribe", channels=["a"]) == {"type": "refused", "v": 1, "channel": "a"}
        assert await asend_to_channel("import-42", "not sent") is None


async def test_a_plain_client_asks_for_more_in_its_url(allow: Any) -> None:
    allow(lambda user, name: name == "news")
    token = issue_subscription_token(Viewer(ALICE), ["import-42"])
    channels = quote(json.dumps(["secret", "news", "task:x"]))
    async with opened(ALICE, f"?extraChannels={channels}&subscription_token={token}") as socket:
        await settle(socket)
        await asend_to_channel("secret", "not heard")
        await asend_to_channel("news", "by name")
        await asend_to_channel("import-42", "by token")
        assert [await hear(socket) for _ in range(2)] == ["by name", "by token"]


@pytest.mark.parametrize(
    "channels",
    ["", "[", "{}", "null", "7", '[null, {"a": 1}, []]', pytest.param("[" * 10_000, id="deep"), "%ff"],
)
async def test_a_url_that_makes_no_sense_costs_nothing(channels: str) -> None:
    query = f"?extraChannels={quote(channels)}&subscription_token=x.y~z&since=x&page=%22"
    async with opened(ALICE, query) as socket:
        await settle(socket)
        await asend_to_all("heard")
        assert await hear(socket) == "heard"


async def test_a_long_list_does_not_mean_as_many_questions(allow: Any) -> None:
    asked: list[str] = []
    allow(lambda user, name: asked.append(name), MAX_SUBSCRIPTIONS=5, MAX_FRAME_BYTES=100_000)
    names = [f"c{number}" for number in range(5_000)]
    async with opened(ALICE, f"?extraChannels={quote(json.dumps(names))}") as socket:
        await settle(socket)
        assert asked == names[:5]


async def test_a_message_has_all_fields_and_no_more(allow: Any) -> None:
    async with opened(ALICE) as socket:
        await settle(socket)
        await asend_to_user(ALICE, "<b>Hi</b>", level="success", click_url="/a/", hide_close_option=True)
        assert await socket.receive_json_from() == {
            "type": "message",
            "v": 1,
            "text": "<b>Hi</b>",
            "cssClass": "success",
            "clickURL": "/a/",
            "closeURL": None,
            "hideCloseOption": True,
            "closeText": "×",
            "channel": "user:1",
        }


async def test_redirects_and_progress_come_as_they_are() -> None:
    token = issue_subscription_token(Viewer(ALICE), ["c"])
    async with opened(ALICE, f"?subscription_token={token}") as socket:
        await settle(socket)
        await aprogress_channel("c", 42)
        await aredirect_channel("c", "/done/")
        frames = [await socket.receive_json_from() for _ in range(2)]
        assert frames == [
            {"type": "progress", "v": 1, "progress": True, "percent": "42%", "channel": "c"},
            {"type": "redirect", "v": 1, "url": "/done/", "channel": "c"},
        ]


async def test_an_excluded_page_is_not_told() -> None:
    async with opened(ALICE, "?page=mine") as mine, opened(ALICE, "?page=other") as other:
        await settle(mine)
        await settle(other)
        await asend_to_user(ALICE, "not to mine", exclude="mine")
        await asend_to_user(ALICE, "to both")
        assert await hear(mine) == "to both"
        assert [await hear(other) for _ in range(2)] == ["not to mine", "to both"]


async def test_an_htmx_page_gets_html_and_nothing_else() -> None:
    async with opened(ALICE, "?format=html") as socket, opened(ALICE) as other:
        await settle(other)
        await socket.send_json_to({"anything": "a form"})
        await asend_to_all("a message")
        await asend_html_to_all("channels_progress/_reason.html", {"display": {"reason": "<i>"}})
        html = await socket.receive_from()
        assert "&lt;i&gt;" in html
        frames = [await other.receive_json_from() for _ in range(2)]
        assert frames[1] == {"type": "html", "v": 1, "html": html, "channel": "audience:all"}


async def test_who_has_unsubscribed_hears_no_more() -> None:
    async with opened(ALICE) as leaving, opened(ALICE) as staying:
        await settle(staying)
        await leaving.send_json_to({"type": "unsubscribe", "channel": "audience:all"})
        await settle(leaving)
        await asend_to_all("to who stays")
        await asend_to_user(ALICE, "to both")
        assert await hear(leaving) == "to both"
        assert [await hear(staying) for _ in range(2)] == ["to who stays", "to both"]


async def test_a_full_socket_takes_no_more(allow: Any) -> None:
    allow(lambda user, name: True, MAX_SUBSCRIPTIONS=4)
    async with opened(ALICE) as socket:
        await settle(socket)
        assert await ask(socket, type="subscribe", channels=["a"]) == subscribed("a")
        refused = {"type": "refused", "v": 1, "channel": "b", "reason": "limit"}
        assert await ask(socket, type="subscribe", channels=["b"]) == refused


@pytest.mark.parametrize("number", [None, "1", 0, -1, 1.5, True, 2**60, [1]])
async def test_an_acknowledgement_that_is_none_closes_the_socket(number: Any) -> None:
    async with opened(ALICE) as socket:
        await socket.send_json_to({"type": "ack_message", "id": number})
        assert (await socket.receive_output())["code"] == MALFORMED


async def test_an_acknowledgement_of_nothing_is_ignored() -> None:
    async with opened(ALICE) as socket:
        await socket.send_json_to({"type": "ack_message", "id": 7})
        await settle(socket)
