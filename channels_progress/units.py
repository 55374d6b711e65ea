"""What is counted, in the form that a number needs: "1 row", "12,345 of 32,000 rows", "85 rows/s".

The worker makes the forms, in the language of the task's owner: it has their catalogue, while a page may be in another
language, and a browser would need the plural rules of all of them. So the body of a record carries words that are
ready to be shown: ``unit`` for the number that the count ends with (the total, else what is done so far), and
``rate_unit`` for the rate where that needs another one. Neither display knows of plurals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import npgettext_lazy

from channels_progress.values import clean_text

UNIT_MAX_CHARS = 30

#: Units that are shown as file sizes.
BYTE_UNITS = frozenset({"B", "byte", "bytes"})

#: Rates below are shown with a decimal.
WHOLE_RATE = 10

# Gettext has no form for numbers that are not whole; this one's is the nearest in many languages ("1,5 wierszy").
_MANY = 100


class Noun:
    """A unit with a form for every number: ``ngettext_lazy("row", "rows")``. Equal only to itself, as that is not."""

    __slots__ = ("_forms",)

    def __init__(self, forms: Any) -> None:
        self._forms = forms

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Noun) and self._forms is other._forms

    def __hash__(self) -> int:
        return id(self._forms)

    def write(self, number: float) -> str:
        """The form for ``number`` in the active language."""
        whole = int(number) if float(number).is_integer() else _MANY
        return str(self._forms % whole)


#: English units, written in the singular, that are translated and put in the plural without further ado.
COMMON_UNITS: Mapping[str, Noun] = {
    name: Noun(forms)
    for name, forms in {
        "batch": npgettext_lazy("unit", "batch", "batches"),
        "chunk": npgettext_lazy("unit", "chunk", "chunks"),
        "city": npgettext_lazy("unit", "city", "cities"),
        "country": npgettext_lazy("unit", "country", "countries"),
        "customer": npgettext_lazy("unit", "customer", "customers"),
        "document": npgettext_lazy("unit", "document", "documents"),
        "email": npgettext_lazy("unit", "email", "emails"),
        "entry": npgettext_lazy("unit", "entry", "entries"),
        "event": npgettext_lazy("unit", "event", "events"),
        "file": npgettext_lazy("unit", "file", "files"),
        "folder": npgettext_lazy("unit", "folder", "folders"),
        "image": npgettext_lazy("unit", "image", "images"),
        "invoice": npgettext_lazy("unit", "invoice", "invoices"),
        "item": npgettext_lazy("unit", "item", "items"),
        "line": npgettext_lazy("unit", "line", "lines"),
        "link": npgettext_lazy("unit", "link", "links"),
        "message": npgettext_lazy("unit", "message", "messages"),
        "object": npgettext_lazy("unit", "object", "objects"),
        "order": npgettext_lazy("unit", "order", "orders"),
        "page": npgettext_lazy("unit", "page", "pages"),
        "part": npgettext_lazy("unit", "part", "parts"),
        "photo": npgettext_lazy("unit", "photo", "photos"),
        "point": npgettext_lazy("unit", "point", "points"),
        "product": npgettext_lazy("unit", "product", "products"),
        "record": npgettext_lazy("unit", "record", "records"),
        "request": npgettext_lazy("unit", "request", "requests"),
        "result": npgettext_lazy("unit", "result", "results"),
        "row": npgettext_lazy("unit", "row", "rows"),
        "step": npgettext_lazy("unit", "step", "steps"),
        "table": npgettext_lazy("unit", "table", "tables"),
        "task": npgettext_lazy("unit", "task", "tasks"),
        "test": npgettext_lazy("unit", "test", "tests"),
        "user": npgettext_lazy("unit", "user", "users"),
        "video": npgettext_lazy("unit", "video", "videos"),
        "word": npgettext_lazy("unit", "word", "words"),
    }.items()
}


def read_unit(value: Any) -> str | Noun | None:
    """A unit as a caller gave it, to be worded for a number later; a lazy text in its words now. None stays None.

    Raises:
        TypeError: ``value`` is neither a text nor a lazy one.
    """
    if value is None or type(value) is str:
        return value
    # A lazy plural is an empty text as long as it has no number, but true.
    if isinstance(value, Promise) and value and not str(value):
        return Noun(value)
    return clean_text(value, "unit", UNIT_MAX_CHARS)


def write_unit(unit: str | Noun, number: float) -> str:
    """The unit in the form for ``number``, in the active language; other texts than ``COMMON_UNITS`` as they are."""
    noun = COMMON_UNITS.get(unit) if isinstance(unit, str) else unit
    return noun.write(number) if noun else str(unit)


def write_forms(unit: str | Noun, count: float, rate: float | None, language: str | None) -> tuple[str, str]:
    """The forms for a count and for a rate, in ``language``; the second one empty where it is the first."""
    if isinstance(unit, str) and unit not in COMMON_UNITS:
        return unit, ""
    with translation.override(language):
        counted = write_unit(unit, count)
        rated = counted if rate is None else write_unit(unit, _round_rate(rate))
    return counted, "" if rated == counted else rated


def _round_rate(rate: float) -> float:
    """The rate as it is shown: with a decimal it needs the form for numbers that are not whole."""
    return int(rate + 0.5) if rate >= WHOLE_RATE else _MANY
