"""Looks of a site's own: our sheet gives way, and the three themes of the documents are as good as the default."""

from __future__ import annotations

import re

import pytest

from tests.gallery.pictures import THEMES
from tests.gallery.scenes import BY_NAME
from tests.gallery.selectors import list_selectors, weigh
from tests.gallery.studio import Studio
from tests.gallery.test_accessibility import find_violations
from tests.gallery.test_geometry import NARROW, find_misfits
from tests.js.stage import STATIC
from tests.tooling import ROOT

CSS = (STATIC / "channels_progress" / "channels_progress.css").read_text()
PAGE = (ROOT / "docs" / "theming.md").read_text()
NAMES = sorted(path.stem for path in THEMES.glob("*.css"))
LOOKS = ["running", "failed", "compact", "my-tasks"]


def find_style(studio: Studio, selector: str, name: str) -> str:
    value: str = studio.page.locator(selector).evaluate("(element, name) => getComputedStyle(element)[name]", name)
    return value


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize("theme", NAMES)
def test_axe_finds_nothing_in_a_theme_and_everything_fits(studio: Studio, theme: str, name: str, axe: str) -> None:
    studio.style = (THEMES / f"{theme}.css").read_text()
    studio.open(BY_NAME[name])
    light = find_violations(studio, axe, type="rule", values=["color-contrast"])
    studio.page.emulate_media(color_scheme="dark")
    dark = find_violations(studio, axe, type="rule", values=["color-contrast"])
    assert (light, dark, find_misfits(studio, NARROW)) == ([], [], [])


def test_the_default_theme_changes_nothing(studio: Studio) -> None:
    studio.open(BY_NAME["running"])
    plain = studio.page.screenshot()
    studio.style = (THEMES / "default.css").read_text()
    studio.open(BY_NAME["running"])
    assert studio.page.screenshot() == plain


@pytest.mark.parametrize(
    ("css", "part", "name", "value"),
    [
        (":root { --task-progress-accent: rgb(1, 2, 3) }", ".task-progress-bar", "color", "rgb(1, 2, 3)"),
        ("main { --task-progress-radius: 3px }", ".task-progress", "borderRadius", "3px"),
        (".task-progress { background: rgb(1, 2, 3) }", ".task-progress", "backgroundColor", "rgb(1, 2, 3)"),
        ("h1 { font-size: 40px }", ".task-progress-title", "fontSize", "40px"),
        (".task-progress-percent { color: rgb(1, 2, 3) }", ".task-progress-percent", "color", "rgb(1, 2, 3)"),
        ("task-progress { border-width: 5px }", ".task-progress", "borderTopWidth", "5px"),
        ("task-progress[state=PROGRESS] { color: rgb(1, 2, 3) }", ".task-progress", "color", "rgb(1, 2, 3)"),
        ("task-progress[connection=open] { opacity: 0.5 }", ".task-progress", "opacity", "0.5"),
    ],
)  # fmt: skip
def test_the_css_of_a_site_reaches_the_element(studio: Studio, css: str, part: str, name: str, value: str) -> None:
    studio.style = css
    studio.open(BY_NAME["running"])
    assert find_style(studio, part, name) == value


def test_our_selectors_are_light() -> None:
    weights = {selector: weigh(selector) for selector in list_selectors(CSS)}
    assert len(weights) > 60
    assert {selector: weight for selector, weight in weights.items() if weight > (0, 3)} == {}
    # Three only where a state, or a part within a part, is told from others.
    assert sum(weight == (0, 3) for weight in weights.values()) <= len(weights) / 5
    assert "!important" not in CSS


@pytest.mark.parametrize(
    ("selector", "weight"),
    [
        ("p", (0, 0)),
        (".a:hover", (0, 2)),
        (":where(.a, .b) > .c::before", (0, 1)),
        (":is(.a .b, .c)", (0, 2)),
        ('.a[b="c"]:not(:is(.d, .e.f)):dir(rtl)', (0, 5)),
        ("#a .b", (1, 1)),
    ],
)
def test_a_selector_weighs_what_it_weighs(selector: str, weight: tuple[int, int]) -> None:
    assert weigh(selector) == weight


def test_what_can_be_styled_is_documented() -> None:
    properties = set(re.findall(r"var\((--[a-z]+-progress-[\w-]+)", CSS))
    properties |= set(re.findall(r"var\((--page-[\w-]+)", CSS))
    classes = set(re.findall(r"\.((?:task-progress|my-tasks|notification-bell|page-message)[\w-]*)", CSS))
    assert {name for name in properties | classes if f"`{name}`" not in PAGE and f"`.{name}`" not in PAGE} == set()


@pytest.mark.parametrize("theme", NAMES)
def test_a_theme_knows_every_property(theme: str) -> None:
    css = (THEMES / f"{theme}.css").read_text()
    properties = set(re.findall(r"var\((--task-progress-[\w-]+)", CSS))
    assert set(re.findall(r"(--task-progress-[\w-]+):", css)) == properties
