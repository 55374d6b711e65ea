"""Every state has its picture, and is explained."""

from __future__ import annotations

import re

from tests.gallery.pictures import IMAGES, SHEET, SHOTS
from tests.gallery.png import Picture, read_png, write_png
from tests.tooling import ROOT

DOCS = ROOT / "docs"
MAX_BYTES = 1_800_000


def test_every_picture_of_the_gallery_has_been_taken() -> None:
    assert [shot.name for shot in SHOTS if not shot.file.exists()] == []
    assert SHEET.exists()


def test_every_picture_is_shown_in_the_documents() -> None:
    pages = [ROOT / "README.md", *DOCS.glob("*.md")]
    shown = {
        (page.parent / link).resolve() for page in pages for link in re.findall(r"\]\(([^)]+\.png)\)", page.read_text())
    }
    assert {path.name for path in IMAGES.rglob("*.png") if path not in shown} == set()


def test_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in IMAGES.rglob("*.png")) < MAX_BYTES


def test_a_picture_of_few_colours_is_kept_as_it_is() -> None:
    rows = [[(x * 40, y * 60, 7) for x in range(5)] for y in range(3)]
    assert read_png(write_png(Picture(rows))) == Picture(rows)


def test_a_picture_of_many_colours_keeps_those_that_would_be_missed() -> None:
    grey, lighter, lightest, red = (100, 100, 100), (104, 100, 100), (108, 100, 100), (250, 0, 0)
    picture = Picture([[grey, grey, grey, lighter, lighter, lightest, red]])
    assert read_png(write_png(picture, colours=2)) == Picture([[grey] * 6 + [red]])
