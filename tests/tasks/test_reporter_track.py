"""track: lazy, countable, and honest about where it stopped."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from channels_progress.testing import RecordingReporter


@pytest.fixture
def reporter() -> RecordingReporter:
    return RecordingReporter()


class Hinted:
    """Knows about how many items it has."""

    def __init__(self, hint: int, items: int) -> None:
        self.hint, self.items = hint, items

    def __length_hint__(self) -> int:
        return self.hint

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.items))


def test_items_pass_untouched_and_are_counted_when_done(reporter: RecordingReporter) -> None:
    seen = [(item, reporter.body["current"]) for item in reporter.track("abc", "Reading", unit="letter")]
    assert seen == [("a", 0), ("b", 1), ("c", 2)]
    assert reporter.body == {"message": "Reading", "unit": "letter", "current": 3, "total": 3, "fraction": 1.0}


def test_nothing_is_taken_beforehand(reporter: RecordingReporter) -> None:
    source = itertools.count()
    assert list(itertools.islice(reporter.track(source), 3)) == [0, 1, 2]
    assert next(source) == 3


def test_without_a_length_it_is_indeterminate_until_the_end(reporter: RecordingReporter) -> None:
    bodies = [reporter.body for _ in reporter.track(x for x in "ab")]
    assert bodies == [{}, {"current": 1}]
    assert reporter.body == {"current": 2, "total": 2, "fraction": 1.0}


def test_a_length_hint_counts_until_the_truth_is_known(reporter: RecordingReporter) -> None:
    bodies = [reporter.body for _ in reporter.track(Hinted(4, items=2))]
    assert bodies[1] == {"current": 1, "total": 4, "fraction": 0.25}
    assert reporter.body == {"current": 2, "total": 2, "fraction": 1.0}


def test_a_total_overrides_the_length(reporter: RecordingReporter) -> None:
    list(reporter.track([1, 2], total=8))
    assert reporter.body == {"current": 2, "total": 8, "fraction": 0.25}


def test_an_empty_input_ends_at_once(reporter: RecordingReporter) -> None:
    assert list(reporter.track([])) == []
    assert reporter.body == {"current": 0, "total": 0}


def test_break_leaves_the_bar_where_it_stopped(reporter: RecordingReporter) -> None:
    for item in reporter.track(range(10)):
        if item == 4:
            break
    assert reporter.body == {"current": 4, "total": 10, "fraction": 0.4}


def test_an_exception_leaves_the_bar_where_it_stopped(reporter: RecordingReporter) -> None:
    with pytest.raises(ZeroDivisionError):
        list(map(lambda item: 1 / (4 - item), reporter.track(range(10))))  # noqa: C417
    assert reporter.body == {"current": 4, "total": 10, "fraction": 0.4}


def test_an_exception_of_the_source_passes(reporter: RecordingReporter) -> None:
    def source() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(reporter.track(source()))
    assert reporter.body == {"current": 1}


def test_a_second_track_starts_a_new_bar(reporter: RecordingReporter) -> None:
    list(reporter.track("abc", "First", unit="letter"))
    list(reporter.track("ab"))
    assert reporter.body == {"current": 2, "total": 2, "fraction": 1.0}


def test_an_inner_track_divides_a_step_of_the_outer_one(reporter: RecordingReporter) -> None:
    bodies: list[dict[str, object]] = []
    for _ in reporter.track("ab", "Files", unit="file"):
        bodies.extend(reporter.body for _ in reporter.track(range(2), "Rows", unit="row"))
    assert [body["fraction"] for body in bodies] == [0.0, 0.25, 0.5, 0.75]
    assert bodies[1] == {"message": "Rows", "unit": "files", "current": 0, "total": 2, "fraction": 0.25}
    assert reporter.body == {"message": "Files", "unit": "files", "current": 2, "total": 2, "fraction": 1.0}


def test_tracks_three_deep_add_up(reporter: RecordingReporter) -> None:
    for _ in reporter.track("ab"):
        for _ in reporter.track("ab"):
            for _ in reporter.track("ab"):
                fraction = reporter.body["fraction"]
    assert fraction == 0.875


def test_two_tracks_side_by_side_end_in_any_order(reporter: RecordingReporter) -> None:
    pairs = zip(reporter.track(range(2)), reporter.track(range(5)), strict=False)
    assert list(pairs) == [(0, 0), (1, 1)]
    del pairs
    list(reporter.track("a"))
    assert reporter.body == {"current": 1, "total": 1, "fraction": 1.0}


def test_progress_with_its_own_total_takes_the_bar_over(reporter: RecordingReporter) -> None:
    for _ in reporter.track("ab"):
        reporter.progress(30, 60)
    assert reporter.body == {"current": 30, "total": 60, "fraction": 0.5}
