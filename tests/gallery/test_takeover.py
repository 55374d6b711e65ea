"""The client takes over from what the server drew, and nothing on the page moves."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.gallery.scenes import CALM, Scene
from tests.gallery.studio import Studio
from tests.js.stage import ORIGIN

# Bars that sweep stand still for the comparison; what stands in for the client is not of the first paint.
STILL = """
.task-progress-bar { animation-play-state: paused !important; animation-delay: -0.8s !important }
noscript { display: none !important }
"""
# What is not seen: what the client takes away once it has read it or told the server, its connection, and whether the
# next step of the bar is to be smooth.
UNSEEN = ["data-frame", "seen-url", "connection", "data-smooth"]
DRAWN = "task-progress, task-progress *:not(noscript, noscript *)"
LOOK = """([drawn, unseen]) => [...document.querySelectorAll(drawn)].map((element) => {
    const { x, y, width, height } = element.getBoundingClientRect();
    const own = [...element.childNodes].filter((node) => node instanceof Text).map((node) => node.data.trim()).join("");
    const attributes = [...element.attributes].filter(({ name }) => !unseen.includes(name));
    return [element.localName, own, [x, y, width, height].join(), attributes.map(({ name, value }) =>
        `${name}=${value}`).sort().join("; ")];
})"""


def look_at(page: Page) -> Any:
    return page.evaluate(LOOK, [DRAWN, UNSEEN])


@pytest.mark.parametrize("scene", CALM, ids=str)
def test_nothing_moves_when_the_client_takes_over(studio: Studio, still: Studio, scene: Scene) -> None:
    studio.style = STILL
    studio.open(scene)
    still.html = studio.html
    still.page.goto(f"{ORIGIN}/page/")
    assert look_at(studio.page) == look_at(still.page)
    assert studio.page.screenshot() == still.page.screenshot()
