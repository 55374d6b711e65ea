"""What moves on the page, and what must not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from tests.gallery.bars import measure_bar, read_middle
from tests.gallery.lives import Life
from tests.gallery.scenes import BY_NAME, TITLE, Scene
from tests.gallery.studio import Studio

# Of a movement that takes a third of a second; each look at it takes some of that time.
SLOWED = 0.02
MANY_LINES = Scene(
    name="many",
    lives={"a": Life(body=TITLE, messages=tuple((1.0, "info", f"line {number}") for number in range(1, 81)))},
)

# Number and place of each line that is to be seen.
VISIBLE_LINES = """(log) => {
    const { top, bottom } = log.getBoundingClientRect();
    return [...log.querySelectorAll("li")]
        .map((line) => [line.dataset.offset, line.getBoundingClientRect().top - top])
        .filter(([, place]) => place > 0 && place < bottom - top)
        .map(([offset, place]) => [offset, Math.round(place)]);
}"""


@contextmanager
def slow_motion(studio: Studio) -> Iterator[None]:
    """The page's animations run at a small part of their speed."""
    session = studio.page.context.new_cdp_session(studio.page)
    session.send("Animation.enable")
    session.send("Animation.setPlaybackRate", {"playbackRate": SLOWED})
    yield
    session.send("Animation.setPlaybackRate", {"playbackRate": 1})
    session.detach()


def watch_bar(studio: Studio, looks: int = 6) -> list[int]:
    """How many pixels are filled, look by look."""
    return [measure_bar(studio.page)[1] for _ in range(looks)]


def test_the_bar_glides_from_one_report_to_the_next(studio: Studio) -> None:
    studio.open(BY_NAME["running"])
    length, start = measure_bar(studio.page)
    with slow_motion(studio):
        studio.report(fraction=0.9, message="Nearly there")
        expect(studio.hook("message")).to_have_text("Nearly there")
        seen = watch_bar(studio)
    assert seen == sorted(seen)
    assert start <= seen[0] < seen[-1] < 0.9 * length - 2


def test_the_bar_does_not_go_back_within_an_attempt(studio: Studio) -> None:
    studio.open(BY_NAME["running"])
    _, start = measure_bar(studio.page)
    studio.report(fraction=0.1, message="Counted anew")
    expect(studio.hook("message")).to_have_text("Counted anew")
    assert set(watch_bar(studio, looks=3)) == {start}
    assert studio.hook("percent").text_content() == "38%"


def test_another_attempt_begins_anew(studio: Studio) -> None:
    studio.open(BY_NAME["running"])
    studio.page.emulate_media(reduced_motion="reduce")
    studio.report(attempt=2, fraction=0.1)
    expect(studio.hook("percent")).to_have_text("10%")
    length, filled = measure_bar(studio.page)
    assert abs(filled - 0.1 * length) <= 1.5


def test_with_reduced_motion_nothing_glides_or_sweeps(studio: Studio) -> None:
    studio.page.emulate_media(reduced_motion="reduce")
    studio.open(BY_NAME["running"])
    with slow_motion(studio):
        studio.report(fraction=0.9)
        expect(studio.hook("percent")).to_have_text("90%")
        length, filled = measure_bar(studio.page)
    assert abs(filled - 0.9 * length) <= 1.5
    studio.report(fraction=None)
    expect(studio.hook("percent")).to_have_text("")
    assert studio.hook("bar").evaluate("bar => getComputedStyle(bar).animationName") == "none"
    assert studio.page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_with_forced_colours_bar_and_state_stay_visible(studio: Studio, scheme: str) -> None:
    studio.page.emulate_media(forced_colors="active", color_scheme=scheme)  # type: ignore[arg-type]
    studio.open(BY_NAME["running"])
    row = read_middle(studio.page)
    assert find_contrast(row[10], row[-10]) >= 3
    status = studio.hook("status").evaluate(
        "status => [getComputedStyle(status).borderTopStyle, getComputedStyle(status, '::before').backgroundColor]"
    )
    assert status == ["solid", studio.hook("status").evaluate("status => getComputedStyle(status).color")]


def find_contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    darker, lighter = sorted((find_luminance(one), find_luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def find_luminance(colour: tuple[int, int, int]) -> float:
    parts = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_what_somebody_reads_in_the_log_stays_where_it_is(studio: Studio) -> None:
    studio.open(MANY_LINES)
    log = studio.task().get_by_role("log")
    log.evaluate("log => log.scrollTop = 700")
    shown = log.evaluate(VISIBLE_LINES)
    fresh = [{"offset": number, "level": "warning", "text": f"line {number}", "at": 0} for number in range(81, 121)]
    studio.report(messages=fresh)
    expect(log.locator("li")).to_have_count(100)
    assert log.locator("li").first.get_attribute("data-offset") == "21"
    assert len(shown) > 5
    assert log.evaluate(VISIBLE_LINES) == shown
