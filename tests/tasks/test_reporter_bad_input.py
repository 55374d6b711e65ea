"""A programmer's slip raises at the call; odd data is clamped or cut, and marked."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import constants

from channels_progress.testing import RecordingReporter
from channels_progress.values import MAX_NUMBER


@pytest.fixture
def reporter() -> RecordingReporter:
    return RecordingReporter()


NOT_NUMBERS = ["a", b"1", None, [1], {1}, object(), User(pk=1), 1j]
IMPOSSIBLE = [-1, -0.5, math.nan, math.inf, -math.inf, Decimal("NaN"), Decimal("Infinity"), Decimal(-1), -(2**70)]


@pytest.mark.parametrize("current", NOT_NUMBERS)
def test_current_that_is_no_number_is_a_type_error(reporter: RecordingReporter, current: Any) -> None:
    with pytest.raises(TypeError, match=r"^current is .* a number is expected"):
        reporter.progress(current, 10)
    assert reporter.body == {}


@pytest.mark.parametrize("current", IMPOSSIBLE)
def test_impossible_current_is_a_value_error(reporter: RecordingReporter, current: Any) -> None:
    with pytest.raises(ValueError, match=r"^current is "):
        reporter.progress(current, 10)
    assert reporter.body == {}


@pytest.mark.parametrize("total", [total for total in NOT_NUMBERS if total is not None])
def test_total_that_is_no_number_is_a_type_error(reporter: RecordingReporter, total: Any) -> None:
    with pytest.raises(TypeError, match=r"^total is .* a number is expected"):
        reporter.progress(1, total)
    assert reporter.body == {}


@pytest.mark.parametrize("total", IMPOSSIBLE)
def test_impossible_total_is_a_value_error(reporter: RecordingReporter, total: Any) -> None:
    with pytest.raises(ValueError, match=r"^total is "):
        reporter.progress(1, total)
    assert reporter.body == {}


@pytest.mark.parametrize("n", NOT_NUMBERS)
def test_advance_by_no_number_is_a_type_error(reporter: RecordingReporter, n: Any) -> None:
    with pytest.raises(TypeError, match=r"^n is "):
        reporter.advance(n)


@pytest.mark.parametrize("n", IMPOSSIBLE)
def test_advance_by_the_impossible_is_a_value_error(reporter: RecordingReporter, n: Any) -> None:
    with pytest.raises(ValueError, match=r"^n is "):
        reporter.advance(n)


@pytest.mark.parametrize(("total", "error"), [("a", TypeError), (-1, ValueError), (math.nan, ValueError)])
def test_bad_total_of_track_raises_at_the_call(reporter: RecordingReporter, total: Any, error: Any) -> None:
    with pytest.raises(error, match=r"^total is "):
        reporter.track([], total=total)


def test_track_of_what_cannot_be_iterated_raises_at_the_call(reporter: RecordingReporter) -> None:
    with pytest.raises(TypeError, match="not iterable"):
        reporter.track(5)  # type: ignore[arg-type]


def test_current_beyond_total_is_clamped_and_marked(reporter: RecordingReporter) -> None:
    reporter.progress(12, 10)
    assert reporter.body == {"current": 12, "total": 10, "fraction": 1.0, "clamped": True}


def test_the_mark_goes_when_the_total_grows(reporter: RecordingReporter) -> None:
    reporter.progress(12, 10)
    reporter.progress(12, 24)
    assert reporter.body == {"current": 12, "total": 24, "fraction": 0.5}


@pytest.mark.parametrize("huge", [2**70, 1e300, Decimal("1e400"), 10**400])
def test_a_huge_number_is_clamped_and_marked(reporter: RecordingReporter, huge: Any) -> None:
    reporter.progress(huge, huge)
    assert reporter.body == {"current": MAX_NUMBER, "total": MAX_NUMBER, "fraction": 1.0, "clamped": True}


def test_advancing_beyond_the_largest_number_is_clamped_and_marked(reporter: RecordingReporter) -> None:
    reporter.progress(MAX_NUMBER)
    reporter.advance(1)
    assert reporter.body == {"current": MAX_NUMBER, "clamped": True}


@pytest.mark.parametrize("text", [b"bytes", 5, None, ["a"], User(pk=1)])
def test_a_message_that_is_no_string_is_a_type_error(reporter: RecordingReporter, text: Any) -> None:
    with pytest.raises(TypeError, match=r"^text is .* a string is expected"):
        reporter.message(text)
    assert reporter.messages == []


@pytest.mark.parametrize("name", ["message", "unit"])
@pytest.mark.parametrize("text", [b"bytes", 5, User(pk=1)])
def test_a_bar_text_that_is_no_string_is_a_type_error(reporter: RecordingReporter, name: str, text: Any) -> None:
    with pytest.raises(TypeError, match=f"^{name} is "):
        reporter.progress(1, 10, **{name: text})
    assert reporter.body == {}


def test_a_huge_message_is_cut_with_an_ellipsis(reporter: RecordingReporter) -> None:
    reporter.message("x" * 5_000_000)
    assert reporter.texts == ["x" * 1_999 + "…"]


def test_a_huge_bar_text_is_cut_with_an_ellipsis(reporter: RecordingReporter) -> None:
    reporter.progress(1, 2, "x" * 5_000_000, unit="y" * 5_000_000)
    assert (reporter.body["message"], reporter.body["unit"]) == ("x" * 1_999 + "…", "y" * 29 + "…")


def test_what_cannot_be_encoded_is_replaced(reporter: RecordingReporter) -> None:
    reporter.message("a\ud800b\0c")
    reporter.progress(1, 2, "a\udfffb")
    assert (reporter.texts, reporter.body["message"]) == (["a\ufffdb\ufffdc"], "a\ufffdb")


@pytest.mark.parametrize("level", ["fatal", "INFO", "", None, 99, True, [], b"info"])
def test_an_unknown_level_names_the_allowed_ones(reporter: RecordingReporter, level: Any) -> None:
    with pytest.raises(ValueError, match="debug, info, success, warning, error is expected"):
        reporter.message("text", level=level)


def test_levels_of_django_messages_are_understood(reporter: RecordingReporter) -> None:
    reporter.message("text", level=constants.WARNING)
    assert [message.level for message in reporter.messages] == ["warning"]


@pytest.mark.parametrize(
    "url",
    [
        "", "cities/", "?page=2", "//evil.example/", "///evil.example", "/\\evil.example", "\\\\evil.example",
        "https://evil.example/", "http:///evil.example", "https:evil.example", "javascript:alert(1)",
        "data:text/html,x", "/a\\b", "/a\nb", "/a\tb", "\t//evil.example", " /x", "/a\0", "/\u202egpj", "/\ud800",
        "https://good.example@evil.example/", "http://[", "/" + "x" * 2_000,
    ],
)  # fmt: skip
def test_a_redirect_elsewhere_is_a_value_error(reporter: RecordingReporter, url: str, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"ALLOWED_REDIRECT_HOSTS": ["good.example"]}
    with pytest.raises(ValueError, match=r"^url is "):
        reporter.redirect(url)
    assert reporter.body == {}


@pytest.mark.parametrize("url", [None, 5, b"/x/"])
def test_a_redirect_that_is_no_string_is_a_type_error(reporter: RecordingReporter, url: Any) -> None:
    with pytest.raises(TypeError, match=r"^url is "):
        reporter.redirect(url)


def test_a_redirect_to_an_allowed_host_is_taken(reporter: RecordingReporter, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"ALLOWED_REDIRECT_HOSTS": ["good.example"]}
    reporter.redirect("https://good.example/x")
    assert reporter.body == {"redirect": "https://good.example/x"}


@pytest.mark.parametrize(("value", "error"), [("a", TypeError), (None, TypeError), (-1, ValueError)])
def test_a_bad_counter_raises_and_changes_nothing(reporter: RecordingReporter, value: Any, error: Any) -> None:
    with pytest.raises(error, match=r"^skipped is "):
        reporter.set(saved=1, skipped=value)
    assert reporter.body == {}


def test_counters_are_bounded_and_the_rest_is_marked(reporter: RecordingReporter) -> None:
    reporter.set(**{f"c{i}": i for i in range(25)})
    reporter.set(c1=100)
    counters = {f"c{i}": i for i in range(20)} | {"c1": 100}
    assert reporter.body == {"counters": counters, "clamped": True}


def test_a_huge_counter_is_clamped_and_marked(reporter: RecordingReporter) -> None:
    reporter.set(bytes=2**70)
    assert reporter.body == {"counters": {"bytes": MAX_NUMBER}, "clamped": True}


def test_odd_counter_names_are_cleaned(reporter: RecordingReporter) -> None:
    reporter.set(**{"\ud800" + "n" * 100: 1})
    assert reporter.body == {"counters": {"\ufffd" + "n" * 58 + "…": 1}}


@pytest.mark.parametrize(
    ("stages", "error"),
    [
        ("Read", TypeError), (b"Read", TypeError), (5, TypeError), ([1], TypeError), ({"Read": "x"}, TypeError),
        (["Read", "Read"], ValueError), ({"Read": -1}, ValueError), ({"Read": 0}, ValueError),
    ],
)  # fmt: skip
def test_bad_stages_raise_when_they_are_declared(stages: Any, error: Any) -> None:
    with pytest.raises(error):
        RecordingReporter(stages=stages)


@pytest.mark.parametrize(("name", "weight", "error"), [(5, 1, TypeError), ("x", "1", TypeError), ("x", -1, ValueError)])
def test_a_bad_stage_raises(reporter: RecordingReporter, name: Any, weight: Any, error: Any) -> None:
    with pytest.raises(error), reporter.stage(name, weight=weight):
        pytest.fail("entered")
