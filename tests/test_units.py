"""What is counted, in the form that its number needs."""

from __future__ import annotations

import threading

import pytest
from django.utils import translation
from django.utils.functional import lazystr
from django.utils.translation import gettext_lazy, ngettext_lazy

from channels_progress.tasks.reporting import Reporter
from channels_progress.testing import RecordingReporter
from channels_progress.units import COMMON_UNITS, Noun, read_unit, write_forms

TOWNS = ngettext_lazy("town", "towns")


@pytest.mark.parametrize(
    ("language", "number", "form"),
    [
        ("en", 0, "rows"), ("en", 1, "row"), ("en", 2, "rows"), ("en", 1.5, "rows"),
        ("pl", 0, "wierszy"), ("pl", 1, "wiersz"), ("pl", 2, "wiersze"), ("pl", 4, "wiersze"), ("pl", 5, "wierszy"),
        ("pl", 12, "wierszy"), ("pl", 22, "wiersze"), ("pl", 112, "wierszy"), ("pl", 32_000, "wierszy"),
        ("pl", 2.0, "wiersze"), ("pl", 2.5, "wierszy"),
    ],
)  # fmt: skip
def test_common_unit_takes_the_form_of_its_number(language: str, number: float, form: str) -> None:
    assert write_forms("row", number, None, language) == (form, "")


def test_rate_has_a_form_of_its_own_where_it_needs_one() -> None:
    forms = [write_forms("row", 1, rate, "pl") for rate in (21.6, 85, 9.99, 1)]
    assert forms == [("wiersz", "wiersze"), ("wiersz", "wierszy"), ("wiersz", "wierszy"), ("wiersz", "wierszy")]
    assert write_forms("row", 30, 85, "pl") == ("wierszy", "")


def test_every_common_unit_has_a_plural() -> None:
    plurals = {name: write_forms(name, 2, None, "en")[0] for name in COMMON_UNITS}
    assert [name for name, plural in plurals.items() if plural in {name, ""}] == []
    assert (plurals["city"], plurals["batch"]) == ("cities", "batches")


@pytest.mark.parametrize("unit", ["kg", "Zeile", lazystr("kg"), "bytes", "B", "rows", "", gettext_lazy("")])
def test_any_other_text_is_shown_as_it_is(unit: object) -> None:
    read = read_unit(unit)
    assert read is not None
    assert write_forms(read, 2, 3.5, "pl") == (str(unit), "")


def test_lazy_plural_of_a_project_is_asked_for_its_form() -> None:
    noun = read_unit(TOWNS)
    assert isinstance(noun, Noun)
    assert [write_forms(noun, number, None, "en")[0] for number in (1, 2)] == ["town", "towns"]


def test_another_lazy_plural_is_a_change() -> None:
    assert (read_unit(TOWNS) == read_unit(TOWNS), read_unit(TOWNS) == read_unit(ngettext_lazy("a", "b"))) == (
        True,
        False,
    )


def test_count_takes_the_form_of_its_total() -> None:
    reporter = RecordingReporter()
    reporter.progress(0, 1, unit="row")
    assert reporter.body["unit"] == "row"
    reporter.progress(1, 2)
    assert reporter.body["unit"] == "rows"


def test_count_without_total_takes_the_form_of_what_is_done() -> None:
    reporter = RecordingReporter()
    reporter.progress(1, unit=TOWNS)
    assert reporter.body["unit"] == "town"
    reporter.advance()
    assert reporter.body["unit"] == "towns"


def test_owner_s_language_is_used_by_whoever_samples() -> None:
    with translation.override("pl"):
        reporter = Reporter()
    reporter.progress(3, 5, unit="file")
    bodies = []
    sampler = threading.Thread(target=lambda: bodies.append(reporter.sample(1.0)))
    sampler.start()
    sampler.join()
    assert [body and body["unit"] for body in bodies] == ["plików"]
