"""The languages that are shipped: complete, in step with the sources, and compiled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.utils.translation.template import templatize

from tests.tooling import ROOT

pytestmark = pytest.mark.same_everywhere

PACKAGE = ROOT / "channels_progress"
FILES = sorted(PACKAGE.glob("locale/*/LC_MESSAGES/django.po"))
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
PLACEHOLDER = re.compile(r"\{\w*\}|%\(\w+\)\w")
ADVICE = "Add or drop these in the .po file, then run `make messages`."


def read_sources() -> Iterator[str]:
    """What may hold texts: modules as they are, templates as Django makes Python of them for gettext."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.read_text()
    for path in sorted(PACKAGE.rglob("templates/**/*.html")):
        # Without indentation, which would have to be Python's.
        yield "\n".join(line.strip() for line in templatize(path.read_text(), origin=str(path)).splitlines())


def find_texts() -> set[tuple[str | None, str]]:
    """(context, text) of every text in the sources; of one with a plural the singular."""
    found = set()
    for source in read_sources():
        for _, text, _, context in extract("python", BytesIO(source.encode()), KEYWORDS):
            found.add((context, text if isinstance(text, str) else text[0]))
    return found


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3], abort_invalid=True)


def entries(path: Path) -> list[Message]:
    return [message for message in read(path) if message.id]


def strings(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


def ids(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


each_language = pytest.mark.parametrize("path", FILES, ids=lambda path: path.parts[-3])


def test_polish_is_shipped() -> None:
    assert [path.parts[-3] for path in FILES] == ["pl"]


@each_language
def test_every_text_of_the_sources_is_there_and_no_other(path: Path) -> None:
    known, used = {(message.context, ids(message)[0]) for message in entries(path)}, find_texts()
    assert len(used) > 90
    assert (used - known, known - used) == (set(), set()), ADVICE


@each_language
def test_every_text_is_translated_with_its_placeholders(path: Path) -> None:
    for message in entries(path):
        assert not message.fuzzy, message.id
        wanted = set(PLACEHOLDER.findall(ids(message)[0]))
        assert [set(PLACEHOLDER.findall(text)) if text else None for text in strings(message)] == [wanted] * len(
            strings(message)
        ), message.id


@each_language
def test_compiled_file_is_what_the_source_compiles_to(path: Path) -> None:
    compiled = BytesIO()
    write_mo(compiled, read(path))
    compiled.seek(0)
    with path.with_suffix(".mo").open("rb") as file:
        assert texts_of(file) == texts_of(compiled), "Run `make messages`."


def texts_of(file: Any) -> dict[Any, str]:
    catalog: dict[Any, str] = vars(GNUTranslations(file))["_catalog"]
    return {key: text for key, text in catalog.items() if key}
