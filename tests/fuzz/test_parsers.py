"""The parsers keep their promises for whatever hypothesis thinks of; ``make fuzz`` looks longer."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels_progress.consumers.query import parse_query
from channels_progress.tokens import issue_subscription_token
from tests.fuzz.targets import VIEWER, check_frame, check_origin, check_query, check_request, check_token

TEXTS = st.text(st.characters(exclude_categories=()))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
KEYS = (
    "type",
    "token",
    "channel",
    "channels",
    "audiences",
    "since",
    "ref",
    "id",
    "v",
    "page",
    "page_size",
    "is_read",
    "open",
)
TYPES = ("subscribe", "unsubscribe", "ack_message", "ping", "inbox", "task", "message", "pong", "refused", "__class__")
POSITIONS = st.dictionaries(TEXTS, st.tuples(TEXTS, st.integers()) | VALUES, max_size=3)
NEAR_FRAMES = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES)},
    optional={key: VALUES for key in KEYS if key not in {"type", "since"}} | {"since": POSITIONS},
)
# As json.dumps writes them, NaN and lone surrogates included, and spelled in other ways.
FRAMES = NEAR_FRAMES.map(json.dumps) | NEAR_FRAMES.map(lambda frame: json.dumps(frame, ensure_ascii=False, indent=1))


@settings(max_examples=300, deadline=None)
@example("[1,2")
@example("null")
@example("[" * 100_000)
@example('{"type":' * 500)
@example('{"type":"ping","n":' + "9" * 4_000 + "}")
@example('{"type":"ack_message","id":1e999}')
@example('{"type":"ping","v":99}')
@example("\ufeff{}")
@given(TEXTS | VALUES.map(json.dumps) | FRAMES)
def test_any_text_is_a_frame_or_refused_with_a_code_of_ours(text: str) -> None:
    check_frame(text)
    check_request(text)


@settings(max_examples=300, deadline=None)
@example(".eJwr~")
@example("." + "A" * 4_000 + "~" + "A" * 43)
@given(TEXTS | st.from_regex(r"\A\.?[\w-]*~[\w-]{0,44}\Z", fullmatch=True))
def test_any_text_is_no_token(text: str) -> None:
    check_token(text)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_token_with_anything_changed_is_none(data: st.DataObject) -> None:
    token = issue_subscription_token(VIEWER, ["task:a"], ttl=10)
    start = data.draw(st.integers(0, len(token)))
    end = data.draw(st.integers(start, len(token)))
    changed = token[:start] + data.draw(TEXTS) + token[end:]
    if changed != token:
        check_token(changed)


@settings(max_examples=300, deadline=None)
@example(b'extraChannels=["task:\\ud800"]')
@example(b"extraChannels=[" + b"9" * 5_000 + b"]")
@example(b"extraChannels=" + b"[" * 60_000)
@example(b"subscription_token=%ff%fe")
@example("since=٣".encode())
@given(st.binary() | VALUES.map(lambda value: b"extraChannels=" + quote(json.dumps(value)).encode()))
def test_any_query_is_understood_or_left_out(raw: bytes) -> None:
    check_query(raw)


@pytest.mark.parametrize("names", ['["a","\\ud800","b"]', '["a",1.5,null,"b",{}]'])
def test_names_that_are_none_are_left_out_of_a_query(names: str) -> None:
    assert parse_query({"query_string": b"extraChannels=" + quote(names).encode()}).channels == ("a", "b")


@settings(max_examples=300, deadline=None)
@example(b"a\nhttp://[")
@example(b"a\nhttp://a:99999")
@example(b"[\nhttp://[")
@given(st.binary() | st.from_regex(rb"\A[a-z\[\]:0-9.]*\nhttps?://[\[\]:a-f0-9.@%]*\Z", fullmatch=True))
def test_any_origin_is_answered_yes_or_no(raw: bytes) -> None:
    check_origin(raw)
