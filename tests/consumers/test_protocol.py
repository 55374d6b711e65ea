"""Frames of the socket, parsed and built."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels_progress.consumers.protocol import (
    PONG_TEXT,
    Acknowledge,
    CloseCode,
    Ping,
    Subscribe,
    SubscribeAudiences,
    SubscribeChannels,
    Unsubscribe,
    parse_frame,
    refused_text,
    subscribed_text,
)
from channels_progress.exceptions import FrameRefused

LIMIT = 4096


def parse(text: str | None) -> object:
    return parse_frame(text, max_bytes=LIMIT)


def refusal(text: str | None) -> FrameRefused:
    with pytest.raises(FrameRefused) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('{"type":"ping"}', Ping()),
        ('{"type":"unsubscribe","channel":"task:1"}', Unsubscribe("task:1")),
        ('{"type":"subscribe","token":"t"}', Subscribe("t")),
        ('{"type":"subscribe","token":"t","channel":null,"since":null,"ref":null}', Subscribe("t")),
        ('{"type":"subscribe","token":"t","ref":3}', Subscribe("t", ref=3)),
        ('{"type":"subscribe","audiences":true,"ref":0}', SubscribeAudiences(ref=0)),
        (
            '{"type":"subscribe","token":"t","channel":"task:1","since":{"task:1":["e",7],"task:2":["",0]}}',
            Subscribe("t", "task:1", {"task:1": ("e", 7), "task:2": ("", 0)}),
        ),
        ('{"type":"subscribe","audiences":true,"since":{"user:1":["",7]}}', SubscribeAudiences({"user:1": ("", 7)})),
        ('{"type":"subscribe","channels":["a","b","a"]}', SubscribeChannels(("a", "b"))),
        ('{"type":"subscribe","channels":[]}', SubscribeChannels(())),
        ('{"type":"ack_message","id":7}', Acknowledge(7)),
        ('{"type":"ping","of a newer page":[1]}', Ping()),
    ],
)
def test_frames_of_the_protocol_are_parsed(text: str, frame: object) -> None:
    assert parse(text) == frame


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[1,2",
        "[1,2]",
        "null",
        "1",
        '"ping"',
        "{}",
        '{"type":1}',
        '{"type":null}',
        '{"type":"ping","type":"ping"}',
        '{"type":"ping","n":NaN}',
        '{"type":"ping","n":-Infinity}',
        '{"type":"subscribe"}',
        '{"type":"subscribe","token":""}',
        '{"type":"subscribe","token":7}',
        '{"type":"subscribe","token":"\\ud800"}',
        '{"type":"subscribe","token":"t","channel":7}',
        '{"type":"subscribe","token":"t","channel":"\\udfff"}',
        '{"type":"subscribe","token":"t","since":[]}',
        '{"type":"subscribe","token":"t","since":{"c":["e"]}}',
        '{"type":"subscribe","token":"t","since":{"c":["e",-1]}}',
        '{"type":"subscribe","token":"t","since":{"c":["e",1.5]}}',
        '{"type":"subscribe","token":"t","since":{"c":["e",true]}}',
        '{"type":"subscribe","token":"t","since":{"c":["e",9007199254740993]}}',
        '{"type":"subscribe","token":"t","since":{"c":[1,1]}}',
        '{"type":"subscribe","token":"t","since":{"c":["\\ud800",1]}}',
        '{"type":"subscribe","channels":"a"}',
        '{"type":"subscribe","channels":[1]}',
        '{"type":"subscribe","channels":[""]}',
        '{"type":"subscribe","audiences":1}',
        '{"type":"subscribe","token":"t","ref":"3"}',
        '{"type":"subscribe","audiences":true,"ref":-1}',
        '{"type":"ack_message"}',
        '{"type":"ack_message","id":"7"}',
        '{"type":"ack_message","id":true}',
        '{"type":"unsubscribe"}',
        '{"type":"unsubscribe","channel":["task:1"]}',
        "[" * 3000,
        '{"a":' * 800,
    ],
)
def test_malformed_frames_are_refused(text: str | None) -> None:
    assert refusal(text).code == CloseCode.MALFORMED


def test_deep_nesting_is_refused_however_large_frames_may_be() -> None:
    with pytest.raises(FrameRefused) as caught:
        parse_frame("[" * 100_000, max_bytes=10**6)
    assert caught.value.code == CloseCode.MALFORMED


@pytest.mark.parametrize("name", ["pong", "PING", "task", "_ping", "websocket.connect"])
def test_unknown_types_are_refused(name: str) -> None:
    assert refusal(json.dumps({"type": name})).code == CloseCode.UNKNOWN_TYPE


@pytest.mark.parametrize(
    ("filling", "fits"), [("x" * 4071, True), ("x" * 4072, False), ("€" * 1357, True), ("€" * 1358, False)]
)
def test_size_is_counted_in_bytes(filling: str, fits: bool) -> None:
    text = '{"type":"ping","more":"' + filling + '"}'
    assert (len(text.encode()) <= LIMIT) == fits
    if fits:
        assert parse(text) == Ping()
    else:
        assert refusal(text).code == CloseCode.TOO_LARGE


def test_refusal_does_not_repeat_what_was_sent() -> None:
    error = refusal('{"type":"subscribe","token":["top secret"]}')
    assert (error.code, error.reason) == (4400, "malformed: token")
    assert error.__cause__ is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
near_frames = st.fixed_dictionaries(
    {"type": st.sampled_from(["subscribe", "unsubscribe", "ping"]) | json_values},
    optional={"token": json_values, "channel": json_values, "since": json_values},
)


@given(st.text() | json_values.map(json.dumps) | near_frames.map(json.dumps))
def test_any_text_is_a_frame_or_refused_with_a_private_code(text: str) -> None:
    answer: object
    try:
        answer = parse(text)
    except FrameRefused as error:
        answer = error
    assert isinstance(answer, Subscribe | Unsubscribe | Ping) or 4000 <= answer.code <= 4999


def test_answers() -> None:
    assert json.loads(subscribed_text("task:1")) == {"type": "subscribed", "v": 1, "channel": "task:1"}
    assert json.loads(refused_text("task:1")) == {"type": "refused", "v": 1, "channel": "task:1"}
    assert json.loads(refused_text()) == {"type": "refused", "v": 1}
    assert json.loads(PONG_TEXT) == {"type": "pong", "v": 1}
