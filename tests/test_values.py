"""Values made safe for JSON, pages and bounded records."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.contrib.messages import constants
from django.utils.functional import lazystr
from hypothesis import given
from hypothesis import strategies as st

from channels_progress.events import encode_json
from channels_progress.values import MAX_NUMBER, clean_level, clean_number, clean_text, shorten


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0), (7, 7), (True, 1), (0.5, 0.5), (2.0, 2), (-0.0, 0), (Decimal("0.25"), 0.25), (Decimal(3), 3),
        (Fraction(1, 4), 0.25), (MAX_NUMBER, MAX_NUMBER), (2**70, MAX_NUMBER), (1e300, MAX_NUMBER),
        (10**4_000, MAX_NUMBER), (Decimal("1e400"), MAX_NUMBER), (Fraction(10**400), MAX_NUMBER),
    ],
)  # fmt: skip
def test_numbers_become_plain_and_small_enough(value: Any, number: float) -> None:
    cleaned = clean_number(value, "n")
    assert (cleaned, type(cleaned)) == (number, type(number))


@pytest.mark.parametrize("value", ["1", b"1", None, [], 1j, object()])
def test_what_is_no_number_is_a_type_error_that_shows_it(value: Any) -> None:
    with pytest.raises(TypeError, match=rf"^n is {type(value).__name__} .*; a number is expected\.$"):
        clean_number(value, "n")


@pytest.mark.parametrize("value", [-1, -0.1, -(10**400), Decimal("-1e400"), Fraction(-(10**400))])
def test_negative_numbers_are_a_value_error(value: Any) -> None:
    with pytest.raises(ValueError, match="it cannot be negative"):
        clean_number(value, "n")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, Decimal("NaN"), Decimal("-Infinity")])
def test_numbers_that_are_not_finite_are_a_value_error(value: Any) -> None:
    with pytest.raises(ValueError, match="a finite number is expected"):
        clean_number(value, "n")


def test_a_huge_value_is_not_shown_in_full() -> None:
    with pytest.raises(TypeError) as raised:
        clean_number("x" * 1_000_000, "n")
    assert len(str(raised.value)) < 150


@given(st.text(), st.integers(1, 20))
def test_any_text_becomes_one_that_can_be_encoded_and_fits(text: str, max_chars: int) -> None:
    cleaned = clean_text(text, "text", max_chars)
    assert "\0" not in cleaned
    assert len(cleaned) <= max_chars
    encode_json(cleaned).encode()


@pytest.mark.parametrize("value", [b"bytes", 1, None])
def test_what_is_no_text_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^text is .*; a string is expected"):
        clean_text(value, "text", 10)


def test_lazy_texts_are_resolved() -> None:
    assert clean_text(lazystr("hello"), "text", 10) == "hello"


@pytest.mark.parametrize(("text", "short"), [("abc", "abc"), ("abcd", "ab…"), ("", "")])
def test_shorten_keeps_the_length(text: str, short: str) -> None:
    assert shorten(text, 3) == short


@pytest.mark.parametrize(("value", "level"), [("error", "error"), (constants.DEBUG, "debug"), (30, "warning")])
def test_levels_go_by_name_or_by_djangos_number(value: Any, level: str) -> None:
    assert clean_level(value) == level
