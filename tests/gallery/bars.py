"""How far bars on the screen are filled."""

from __future__ import annotations

from playwright.sync_api import FloatRect, Page

from tests.gallery.png import Colour, read_png


def measure_bar(page: Page, *, from_right: bool = False) -> tuple[float, int]:
    """How long the bar is and how many pixels of it are filled, along its middle."""
    row = read_middle(page)
    return len(row), _count_like_first(row[::-1] if from_right else row)


def read_middle(page: Page) -> list[Colour]:
    """The pixels along the middle of the bar."""
    box = page.locator(".task-progress-bar").bounding_box()
    assert box
    line: FloatRect = {"x": box["x"], "y": box["y"] + box["height"] // 2, "width": box["width"], "height": 1}
    return read_png(page.screenshot(clip=line)).rows[0]


def _count_like_first(row: list[Colour]) -> int:
    # The ends are round: at the very edge even the middle is a little lighter.
    filled = row[3]
    return 2 + sum(1 for pixel in row[2:] if sum(abs(a - b) for a, b in zip(pixel, filled, strict=True)) < 60)
