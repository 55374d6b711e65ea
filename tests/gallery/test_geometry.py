"""What is where on the page: bars as long as they say, room for every text, things large enough to press."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gallery.bars import measure_bar
from tests.gallery.lives import Life
from tests.gallery.scenes import BY_NAME, CITIES, SCENES, Scene
from tests.gallery.studio import Studio

NARROW = {"width": 320, "height": 640}
# 1280 x 1024 at 400 %.
ZOOMED = {"width": 320, "height": 256}
# https://www.w3.org/TR/WCAG22/#text-spacing
SPACED = """* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
    p { margin-block-end: 2em !important }"""
LARGE = "html { font-size: 200% }"
# Everything that is cut off or stands out. What is there for screen readers alone is one pixel large.
MISFITS = """() => {
    const page = document.documentElement;
    const found = page.scrollWidth > page.clientWidth ? [`page: ${page.scrollWidth} > ${page.clientWidth}`] : [];
    for (const element of document.querySelectorAll("body *:not(style)")) {
        const { left, right, width, height } = element.getBoundingClientRect();
        if (width <= 1 || height <= 1) continue;
        const name = `${element.localName}.${element.className}`;
        if (left < -0.5 || right > page.clientWidth + 0.5) found.push(`${name}: ${left} to ${right}`);
        if (getComputedStyle(element).display === "inline" || element.localName === "progress") continue;
        if (element.scrollWidth > element.clientWidth + 1) found.push(`${name}: ${element.scrollWidth} wide`);
        // What opens over the page stands out of what it is in.
        const mayStandOut = getComputedStyle(element).overflowY === "auto" || element.querySelector("[open] > div");
        if (!mayStandOut && element.scrollHeight > element.clientHeight + 1)
            found.push(`${name}: ${element.scrollHeight} high in ${element.clientHeight}`);
    }
    return found;
}"""
# https://www.w3.org/TR/WCAG22/#target-size-minimum
SMALL_TARGETS = """() => [...document.querySelectorAll("a[href], button, summary, [tabindex='0']")]
    .map((element) => [element.className || element.localName, element.getBoundingClientRect()])
    .filter(([, { width, height }]) => width > 0 && Math.min(width, height) < 24)
    .map(([name, { width, height }]) => `${name}: ${width} x ${height}`)"""
FOCUSED = """() => {
    const { localName, className } = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
    return [className || localName, outlineStyle, outlineWidth];
}"""


def find_misfits(studio: Studio, size: Any, css: str = "") -> list[str]:
    studio.page.set_viewport_size(size)
    if css:
        studio.page.add_style_tag(content=css)
    found: list[str] = studio.page.evaluate(MISFITS)
    return found


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_everything_fits_and_can_be_pressed(studio: Studio, scene: Scene) -> None:
    studio.open(scene)
    misfits = {
        "small targets": studio.page.evaluate(SMALL_TARGETS),
        "wide": find_misfits(studio, {"width": 1280, "height": 700}),
        "narrow": find_misfits(studio, NARROW),
        "400 %": find_misfits(studio, ZOOMED),
        "spaced": find_misfits(studio, NARROW, SPACED),
        "spaced and large": find_misfits(studio, {"width": 640, "height": 512}, LARGE),
    }
    assert {how: found for how, found in misfits.items() if found} == {}


@pytest.mark.parametrize("fraction", [0.01, 0.25, 0.5, 0.98])
@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_bar_is_filled_as_far_as_it_says(studio: Studio, fraction: float, language: str) -> None:
    studio.style = ".task-progress-bar { border-radius: 0 !important }"
    life = Life(body={**CITIES, "fraction": fraction})
    studio.open(Scene(name="part", lives={"a": life}, language=language))
    length, filled = measure_bar(studio.page, from_right=language == "ar")
    assert abs(filled - fraction * length) <= 1


@pytest.mark.parametrize(("name", "percent"), [("running", 38.58), ("running-bytes", 15), ("succeeded", 100)])
def test_number_and_bar_agree(studio: Studio, name: str, percent: float) -> None:
    studio.open(BY_NAME[name])
    length, filled = measure_bar(studio.page)
    assert studio.hook("percent").text_content() == f"{int(percent)}%"
    assert abs(filled - percent / 100 * length) <= 1.5


@pytest.mark.parametrize("name", ["arabic", "hebrew"])
def test_a_page_from_right_to_left_is_mirrored(studio: Studio, name: str) -> None:
    studio.open(BY_NAME[name])
    title, cancel, bar, percent = (
        studio.page.locator(f".task-progress-{part}").evaluate("element => element.getBoundingClientRect().x")
        for part in ("title", "cancel", "bar", "percent")
    )
    assert (title > cancel, bar > percent) == (True, True)
    length, filled = measure_bar(studio.page, from_right=True)
    assert abs(filled - 0.3858 * length) <= 1


@pytest.mark.parametrize("name", ["running", "succeeded"])
def test_the_keyboard_goes_from_top_to_bottom_and_is_seen(studio: Studio, name: str) -> None:
    studio.open(BY_NAME[name])
    seen = []
    for _ in range(2):
        studio.page.keyboard.press("Tab")
        seen.append(studio.page.evaluate(FOCUSED))
    first = {"running": "button", "succeeded": "a"}[name]
    assert seen == [[first, "solid", "2px"], ["task-progress-log", "solid", "2px"]]


@pytest.mark.parametrize("scene", ["my-tasks", "my-tasks-list"])
def test_the_bars_of_rows_are_as_wide_as_their_rows(studio: Studio, scene: str) -> None:
    studio.open(BY_NAME[scene])
    rows = studio.page.locator(".my-tasks-row:has(.task-progress-bar:visible)")
    meters = rows.locator(".task-progress-meter")
    widths = [parts.evaluate_all("parts => parts.map(part => part.clientWidth)") for parts in (rows, meters)]
    assert widths[0] == widths[1] != []


def test_the_way_to_all_tasks_stays_in_sight_below_a_long_list(studio: Studio) -> None:
    studio.page.set_viewport_size(ZOOMED)
    studio.open(BY_NAME["my-tasks"])
    panel, link = (
        studio.page.locator(part).evaluate("element => element.getBoundingClientRect().bottom")
        for part in (".my-tasks-panel", ".my-tasks-all a")
    )
    assert studio.page.locator(".my-tasks-panel").evaluate("panel => panel.scrollHeight > panel.clientHeight")
    assert 0 < panel - link < 24


def test_the_filter_that_is_on_is_told_by_its_shape_in_forced_colours(studio: Studio) -> None:
    studio.page.emulate_media(forced_colors="active")
    studio.open(BY_NAME["my-tasks-list"])
    styles = studio.page.locator(".my-tasks-filters a").evaluate_all(
        "links => links.map(link => getComputedStyle(link).outlineStyle)"
    )
    assert styles == ["solid", "none", "none", "none", "none"]


def test_a_title_without_end_takes_five_lines_of_a_list(studio: Studio) -> None:
    life = Life(body={**CITIES, "title": "W" * 300})
    studio.open(Scene(name="endless", lives={"a": life}, page="menu"))
    line, height = studio.page.locator(".my-tasks-title").evaluate(
        "title => [parseFloat(getComputedStyle(title).lineHeight), title.clientHeight]"
    )
    assert abs(height - 5 * line) <= 1
