"""What axe-core says of every state."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gallery.scenes import SCENES, Scene
from tests.gallery.studio import Studio

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """(only) => axe.run(document, { runOnly: only, resultTypes: ["violations"] }).then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map(({ target, any, all, none }) =>
        `${id}: ${target.join(" ")}: ${[...any, ...all, ...none].map(({ message }) => message).join("; ")}`)))"""


def find_violations(studio: Studio, axe: str, **only: Any) -> list[str]:
    studio.page.evaluate(f"() => {{ if (!window.axe) {{ {axe} }} }}")
    found: list[str] = studio.page.evaluate(RUN, only)
    return found


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_axe_finds_nothing(studio: Studio, scene: Scene, axe: str) -> None:
    studio.open(scene)
    light = find_violations(studio, axe, type="tag", values=TAGS)
    studio.page.emulate_media(color_scheme="dark")
    dark = find_violations(studio, axe, type="rule", values=["color-contrast", "link-in-text-block"])
    assert (light, dark) == ([], [])
