"""What a reporter's calls make of a body."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from django.utils.functional import lazystr
from django.utils.translation import gettext_lazy, override

from channels_progress.tasks.reporting import Reporter
from channels_progress.testing import RecordingReporter
from tests.tasks.support import Sampled


@pytest.fixture
def reporter() -> RecordingReporter:
    return RecordingReporter()


def test_a_new_reporter_says_nothing(reporter: RecordingReporter) -> None:
    assert reporter.body == {}


def test_progress_is_absolute(reporter: RecordingReporter) -> None:
    reporter.progress(5, 20, "Reading", unit="row")
    reporter.progress(3, 20)
    assert reporter.body == {"message": "Reading", "unit": "rows", "current": 3, "total": 20, "fraction": 0.15}


def test_progress_without_a_total_keeps_the_former_one(reporter: RecordingReporter) -> None:
    reporter.progress(1, 4)
    reporter.progress(2)
    assert reporter.body == {"current": 2, "total": 4, "fraction": 0.5}


def test_a_growing_total_is_followed(reporter: RecordingReporter) -> None:
    reporter.progress(1, 4)
    assert reporter.body == {"current": 1, "total": 4, "fraction": 0.25}
    reporter.progress(1, 10)
    assert reporter.body == {"current": 1, "total": 10, "fraction": 0.1}


def test_progress_without_any_total_is_indeterminate(reporter: RecordingReporter) -> None:
    reporter.progress(7)
    assert reporter.body == {"current": 7}


def test_an_empty_input_is_indeterminate(reporter: RecordingReporter) -> None:
    reporter.progress(0, 0)
    assert reporter.body == {"current": 0, "total": 0}


def test_advance_is_relative(reporter: RecordingReporter) -> None:
    reporter.progress(0, 8)
    reporter.advance()
    reporter.advance(2)
    reporter.advance(Decimal("0.5"))
    reporter.advance(0.5)
    assert reporter.body == {"current": 4.0, "total": 8, "fraction": 0.5}


@pytest.mark.parametrize("three", [3, 3.0, Decimal(3), Fraction(3)])
def test_any_real_number_counts(reporter: RecordingReporter, three: object) -> None:
    reporter.progress(three, 4)
    reporter.advance(0)
    assert reporter.body == {"current": 3, "total": 4, "fraction": 0.75}


def test_true_counts_as_one(reporter: RecordingReporter) -> None:
    reporter.progress(True, 4)
    assert repr(reporter.body["current"]) == "1"


def test_counters_are_merged(reporter: RecordingReporter) -> None:
    reporter.set(skipped=1, saved=2)
    reporter.set(skipped=Decimal("3.5"))
    assert reporter.body == {"counters": {"skipped": 3.5, "saved": 2}}


def test_counters_named_like_numbers_bring_their_order(reporter: RecordingReporter) -> None:
    reporter.set(skipped=1, **{"404": 2, "200": 3})
    assert reporter.body["counter_names"] == ["skipped", "404", "200"]


def test_messages_are_logged_with_their_level(reporter: RecordingReporter) -> None:
    reporter.message("one")
    reporter.message("two", level="warning")
    assert [(message.level, message.text) for message in reporter.messages] == [("info", "one"), ("warning", "two")]


def test_a_lazy_text_is_resolved_in_the_language_of_the_call(reporter: RecordingReporter) -> None:
    with override("de"):
        reporter.progress(1, 2, gettext_lazy("Yes"), unit=lazystr("row"))
        reporter.message(gettext_lazy("No"))
    assert (reporter.body["message"], reporter.texts) == ("Ja", ["Nein"])


def test_the_redirect_is_kept(reporter: RecordingReporter) -> None:
    reporter.redirect("/cities/?page=2#top")
    assert reporter.body == {"redirect": "/cities/?page=2#top"}


def test_title_is_there_from_the_start() -> None:
    assert RecordingReporter(title="Import").body == {"title": "Import"}


def test_a_sample_is_only_made_of_what_changed() -> None:
    reporter = Reporter()
    reporter.progress(1, 2)
    assert reporter.sample(1.0)
    assert reporter.sample(2.0) is None
    reporter.progress(2, 2)
    assert reporter.sample(3.0)


def test_rate_and_time_left_are_smoothed_over_samples() -> None:
    reporter = Reporter()
    reporter.progress(0, 1000)
    start = reporter._bar.run.started_at
    sampled = []
    for second, current in enumerate([100, 200, 500], 1):
        reporter.progress(current, 1000)
        body = reporter.sample(start + second)
        assert body
        sampled.append((body["rate"], body["eta_s"]))
    # tqdm: EMA of gains over EMA of spans, smoothing 0.3: (300*.3 + 100*.21 + 100*.147) / (.3 + .21 + .147)
    assert sampled == [(100.0, 9.0), (100.0, 8.0), (191.3, 2.613)]


def test_rate_is_unknown_until_something_was_counted() -> None:
    reporter = Reporter()
    reporter.progress(0, 10)
    assert Sampled(reporter)("rate", "eta_s") == (None, None)


def test_rate_starts_anew_where_the_count_falls() -> None:
    reporter = Reporter()
    reporter.progress(0, 100)
    start = reporter._bar.run.started_at
    for second, current in [(1, 50), (2, 10), (3, 11)]:
        reporter.progress(current)
        body = reporter.sample(start + second)
    assert body
    assert body["rate"] == 1.0
