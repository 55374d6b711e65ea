"""Few channels are told one by one, a crowd by messages that name them."""

from __future__ import annotations

import json
import time
from concurrent.futures import Future
from typing import Any

import pytest

from channels_progress.audiences import Audience, AudienceKind, channel_audience
from channels_progress.broadcast_events import message_event
from channels_progress.groups import name_group
from channels_progress.notifications.hints import tell_changes
from channels_progress.send import send_many
from channels_progress.testing.broadcasts import Sent, capture
from channels_progress.transport import Sender, open_crowd, sender
from channels_progress.transport.crowds import CHUNK, CROWD_CHANNEL, FEW

CROWD = name_group("channels_progress", CROWD_CHANNEL)


def users(count: int) -> list[Audience]:
    return [channel_audience(f"user:{number}") for number in range(count)]


class Line:
    """What the sender is told to send."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []

    def deliver_each(self, messages: list[tuple[str, dict[str, Any]]]) -> bool:
        self.messages += messages
        return True

    def send(self, group: str, envelope: dict[str, Any]) -> None:
        self.messages.append((group, envelope))


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    line = Line()
    monkeypatch.setattr("channels_progress.send.get_sender", lambda: line)
    monkeypatch.setattr("channels_progress.notifications.hints.get_sender", lambda: line)
    return line


def test_few_are_told_each_by_their_own_group(line: Line) -> None:
    assert send_many(users(FEW), message_event("Hello"))
    assert [group for group, _ in line.messages] == [f"channels_progress.user.{number}" for number in range(FEW)]
    assert [json.loads(envelope["text"])["channel"] for _, envelope in line.messages] == [
        f"user:{number}" for number in range(FEW)
    ]


def test_a_crowd_is_told_by_few_messages_that_stand_for_one_each(line: Line) -> None:
    audiences = users(10_000)
    assert send_many([*audiences, *audiences], message_event("Hello"), exclude="page-0")
    assert [group for group, _ in line.messages] == [CROWD] * (10_000 // CHUNK)
    opened = [one for _, envelope in line.messages for one in open_crowd(envelope, {a.channel for a in audiences})]
    line.messages.clear()
    for audience in audiences:
        send_many([audience], message_event("Hello"), exclude="page-0")
    assert [{**one, "among": CHUNK} for _, one in line.messages] == opened


def test_of_a_crowd_only_those_who_are_here_are_found(line: Line) -> None:
    send_many(users(FEW + 1), message_event("Hello"))
    ((_, envelope),) = line.messages
    found = [(one["key"], one["among"]) for one in open_crowd(envelope, {"user:3", "user:7", "user:99"})]
    assert found == [("user:3", 2), ("user:7", 2)]


def test_hints_for_a_crowd_do_not_replace_each_other(monkeypatch: pytest.MonkeyPatch, line: Line) -> None:
    tell_changes([str(number) for number in range(2 * CHUNK)], on_commit=None)
    assert [envelope["kind"] for _, envelope in line.messages] == ["k", "k"]
    told = [channel for _, envelope in line.messages for channel in envelope["keys"]]
    assert told == [f"inbox:user:{number}" for number in range(2 * CHUNK)]


def test_an_audience_that_is_switched_off_is_left_out(line: Line, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": "memory", "ENABLE_AUTHENTICATED": False}
    assert send_many(users(30), message_event("Hello")) is None
    news = Audience(AudienceKind.CHANNEL, "news")
    assert send_many([*users(30), news], message_event("Hello"))
    assert [group for group, _ in line.messages] == [name_group("channels_progress", "news")]


def test_captured_each_person_has_one(line: Line) -> None:
    with capture() as sent:
        assert send_many(users(30), message_event("Hello"))
    assert sent == [Sent(f"user:{number}", "Hello") for number in range(30)]
    with capture(failing=True):
        assert send_many(users(30), message_event("Hello")) is False
    assert line.messages == []


def test_of_a_line_that_stands_only_the_first_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "LONGEST_STAND_S", 0.2)
    standing, handed = Sender(), []
    monkeypatch.setattr(standing, "_hand_over", lambda *message: handed.append(message) or Future())
    begun = time.monotonic()
    assert not standing.deliver_each([("group", {})] * 100)
    assert time.monotonic() - begun < 10
    assert len(handed) == 100
