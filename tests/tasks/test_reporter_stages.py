"""Stages: declared ones share one bar, others each have their own."""

from __future__ import annotations

from contextlib import suppress

from django.utils.functional import lazystr

from channels_progress.testing import RecordingReporter


def describe(reporter: RecordingReporter) -> tuple[object, ...]:
    """Name, index, count and declared of the stage shown, and the fraction."""
    body = reporter.body
    return (*body.get("stage", {}).values(), body.get("fraction"))


def test_undeclared_stages_have_a_bar_each() -> None:
    reporter = RecordingReporter()
    with reporter.stage("Read"):
        reporter.progress(5, 10, "reading", unit="row")
        assert describe(reporter) == ("Read", 1, None, False, 0.5)
    with reporter.stage("Save"):
        assert reporter.body == {"stage": {"name": "Save", "index": 2, "count": None, "declared": False}}
        reporter.progress(1, 4)
        assert describe(reporter) == ("Save", 2, None, False, 0.25)


def test_declared_stages_share_one_bar() -> None:
    reporter = RecordingReporter(stages={"Read": 1, "Save": 3})
    shown = []
    for name in ("Read", "Save"):
        with reporter.stage(name):
            shown.extend(describe(reporter) for _ in reporter.track("ab"))
    assert shown == [
        ("Read", 1, 2, True, 0.0),
        ("Read", 1, 2, True, 0.125),
        ("Save", 2, 2, True, 0.25),
        ("Save", 2, 2, True, 0.625),
    ]
    assert describe(reporter) == ("Save", 2, 2, True, 1.0)


def test_names_alone_weigh_the_same() -> None:
    reporter = RecordingReporter(stages=("Read", lazystr("Save")))
    with reporter.stage("Read"):
        pass
    assert describe(reporter) == ("Read", 1, 2, True, 0.5)


def test_a_stage_is_shown_until_the_bar_moves_again() -> None:
    reporter = RecordingReporter()
    with reporter.stage("Read"):
        reporter.progress(1, 4)
    reporter.message("Read all")
    reporter.set(skipped=0)
    reporter.redirect("/")
    reporter.flush()
    assert describe(reporter) == ("Read", 1, None, False, 0.25)
    reporter.progress(7)
    assert reporter.body == {"current": 7, "counters": {"skipped": 0}, "redirect": "/"}


def test_a_stage_without_a_total_counts_when_it_is_done() -> None:
    reporter = RecordingReporter(stages=("Read", "Save"))
    with reporter.stage("Read"):
        assert describe(reporter) == ("Read", 1, 2, True, None)
    with reporter.stage("Save"):
        assert describe(reporter) == ("Save", 2, 2, True, 0.5)


def test_an_undeclared_stage_extends_the_total_and_the_bar_waits() -> None:
    reporter = RecordingReporter(stages=("Read", "Save"))
    with reporter.stage("Read"):
        pass
    assert describe(reporter) == ("Read", 1, 2, True, 0.5)
    with reporter.stage("Check", weight=2):
        reporter.progress(1, 4)
        assert describe(reporter) == ("Check", 3, 3, True, 0.5)
    assert describe(reporter) == ("Check", 3, 3, True, 0.75)
    with reporter.stage("Save"):
        pass
    assert describe(reporter) == ("Save", 2, 3, True, 1.0)


def test_a_declared_stage_counts_once() -> None:
    reporter = RecordingReporter(stages=("Read", "Save"))
    for _ in range(3):
        with reporter.stage("Read"):
            reporter.progress(1, 2)
    assert describe(reporter) == ("Read", 1, 2, True, 0.5)


def test_a_stage_that_opens_itself_again_counts_once() -> None:
    reporter = RecordingReporter(stages=("Read", "Save"))
    with reporter.stage("Read"), reporter.stage("Read"):
        pass
    assert describe(reporter)[-1] == 0.5


def test_the_overall_fraction_never_falls() -> None:
    reporter = RecordingReporter(stages=("Read", "Save"))
    with reporter.stage("Read"):
        reporter.progress(8, 10)
        assert reporter.body["fraction"] == 0.4
        reporter.progress(2, 10)
        assert reporter.body["fraction"] == 0.4


def test_a_stage_left_by_an_exception_is_not_done_and_stays_shown() -> None:
    reporter = RecordingReporter(stages=("Read", "Save"))
    with suppress(OSError), reporter.stage("Read"):
        reporter.progress(1, 4)
        raise OSError
    assert describe(reporter) == ("Read", 1, 2, True, 0.125)
    with reporter.stage("Save"):
        assert describe(reporter) == ("Save", 2, 2, True, 0.125)
    assert describe(reporter) == ("Save", 2, 2, True, 0.5)


def test_an_inner_stage_is_shown_while_it_lasts() -> None:
    reporter = RecordingReporter(stages=("Read", "Save"))
    with reporter.stage("Read"):
        reporter.progress(1, 2)
        with reporter.stage("Unpack"):
            assert describe(reporter) == ("Unpack", 1, 2, True, 0.25)
        reporter.advance()
        assert describe(reporter) == ("Read", 1, 2, True, 0.5)


def test_the_outer_stage_is_shown_after_both_were_left() -> None:
    reporter = RecordingReporter()
    with reporter.stage("Outer"):
        reporter.progress(3, 4)
        with reporter.stage("Inner"):
            pass
    assert describe(reporter) == ("Outer", 1, None, False, 0.75)


def test_a_track_left_in_a_stage_does_not_reach_into_the_next() -> None:
    reporter = RecordingReporter()
    abandoned = iter(reporter.track(range(100)))
    with reporter.stage("Read"):
        abandoned = iter(reporter.track(range(100)))
        next(abandoned)
    with reporter.stage("Save"):
        list(reporter.track("ab"))
        assert describe(reporter) == ("Save", 2, None, False, 1.0)


def test_a_stage_inside_a_track_has_a_bar_of_its_own() -> None:
    reporter = RecordingReporter()
    for _ in reporter.track("ab"):
        with reporter.stage("Inner"):
            list(reporter.track("abcd"))
            assert describe(reporter)[0] == "Inner"
    assert reporter.body == {"current": 2, "total": 2, "fraction": 1.0}


def test_stages_are_recorded_in_order() -> None:
    reporter = RecordingReporter()
    for name in ("Read", "Save", "Read"):
        with reporter.stage(name):
            pass
    assert reporter.recorded.stages == ("Read", "Save", "Read")
