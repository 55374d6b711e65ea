"""The pictures in ``docs/images``."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from playwright.sync_api import FloatRect, Page

from tests.browsers import close_context, run_chromium
from tests.gallery.png import read_png, write_png
from tests.gallery.scenes import BY_NAME, HERO, SCENES, STAFF, Scene
from tests.gallery.studio import Studio, make_context
from tests.tooling import ROOT

IMAGES = ROOT / "docs" / "images"
THEMES = ROOT / "docs" / "themes"
SHEET = IMAGES / "states.png"
# One typeface on every machine that has it, and a sweeping bar in the middle of its sweep.
STYLE = """body { font-family: "Liberation Sans", Arial, sans-serif }
    .task-progress-bar { animation-play-state: paused !important; animation-delay: -0.8s !important }"""
MARGIN_PX = 20
WIDTH_PX = 680
SHEET_COLUMNS = 3
SHEET_COLOURS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture.

    Attributes:
        name: Of the file, below ``docs/images`` and without ``.png``.
        media: See ``page.emulate_media``.
        theme: Name of a style sheet in ``docs/themes``.
        colours: As few as still look smooth: a file of 40 is two thirds as large as one of 256.
    """

    name: str
    scene: Scene
    width: int = WIDTH_PX
    media: dict[str, Any] = field(default_factory=dict)
    theme: str = ""
    colours: int = 40
    scale: int = 2

    @property
    def file(self) -> Path:
        return IMAGES / f"{self.name}.png"


# Side by side in docs/theming.md.
THEME_WIDTH_PX = 520
STAFF_WIDTH_PX = 1280


def _vary(names: Sequence[str], how: str, **changes: Any) -> list[Shot]:
    return [Shot(name=f"states/{name}-{how}", scene=BY_NAME[name], **changes) for name in names]


# A bar that fades out needs more colours, much text fewer pixels.
NEEDS: dict[str, dict[str, Any]] = {"running-indeterminate": {"colours": 128}, "long-texts": {"scale": 1}}
NEEDS |= {name: {"scale": 1} for name in ("bell-arabic", "bell-empty", "inbox", "inbox-polish")}
STATES = [Shot(name=f"states/{scene}", scene=scene, **NEEDS.get(scene.name, {})) for scene in SCENES]
DARK: dict[str, Any] = {"color_scheme": "dark"}
SHOTS = [
    Shot(name="running", scene=HERO, width=780),
    *STATES,
    *_vary(["running", "retrying", "failed", "succeeded", "messages"], "dark", media=DARK),
    *_vary(["bell"], "dark", media=DARK),
    *_vary(["inbox"], "dark", media=DARK, scale=1),
    *_vary(["running", "messages"], "narrow", width=320),
    *_vary(["bell", "inbox"], "narrow", width=320, scale=1),
    *_vary(["long-texts"], "narrow", width=320, scale=1),
    *_vary(["running", "lost"], "forced-colors", media={"forced_colors": "active", **DARK}),
    *[
        shot
        for theme in ("default", "bootstrap", "terminal")
        for shot in _vary(["running", "succeeded"], theme, theme=theme, width=THEME_WIDTH_PX)
    ],
    *[Shot(name=f"states/{scene}", scene=scene, width=STAFF_WIDTH_PX, scale=1) for scene in STAFF],
]


def take(studio: Studio, shot: Shot) -> bytes:
    """The picture as Chromium writes it."""
    theme = (THEMES / f"{shot.theme}.css").read_text() if shot.theme else ""
    studio.style = STYLE + theme
    # High enough for all: a taller page than the window would be drawn anew, and its bars would move.
    studio.page.set_viewport_size({"width": shot.width, "height": 1600})
    studio.page.emulate_media(**{"color_scheme": "light", "forced_colors": "none", **shot.media})
    studio.open(shot.scene)
    return studio.page.screenshot(clip=_frame(studio.page))


def _frame(page: Page) -> FloatRect:
    """What is on the page, with the same margin around it."""
    box = page.evaluate("""() => {
        const opened = "[open] > .my-tasks-panel, [open] > .notification-bell-panel, .page-messages-stack";
        const parts = [...document.querySelectorAll(`main > :not(style, page-messages), ${opened}, #header`)];
        const all = parts.map((part) => part.getBoundingClientRect());
        return [Math.min(...all.map(({ top }) => top)), Math.max(...all.map(({ bottom }) => bottom))];
    }""")
    top = max(0, box[0] - MARGIN_PX)
    return {"x": 0, "y": top, "width": page.viewport_size["width"], "height": box[1] + MARGIN_PX - top}  # type: ignore[index]


def take_sheet(page: Page, pictures: dict[str, bytes]) -> bytes:
    """All states on one picture, each under its name."""
    figures = "".join(
        f'<figure><figcaption>{escape(name)}</figcaption><img src="data:image/png;base64,{_as_text(data)}"></figure>'
        for name, data in pictures.items()
    )
    page.set_viewport_size({"width": 500 * SHEET_COLUMNS, "height": 800})
    page.set_content(f"""<!doctype html><style>
        body {{ margin: 8px; background: #f4f6f9; font: 600 20px "Liberation Sans", Arial, sans-serif }}
        div {{ columns: {SHEET_COLUMNS}; gap: 0 }}
        figure {{ margin: 0 0 12px; break-inside: avoid }} figcaption {{ margin: 8px 18px 0; color: #566173 }}
        img {{ display: block; width: 100% }}</style><div>{figures}</div>""")
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    return page.screenshot(full_page=True)


def _as_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def save(file: Path, data: bytes, colours: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(write_png(read_png(data), colours))


def take_all(beginnings: Sequence[str] = ()) -> None:
    """Take those whose names begin so (``states`` is the one with all states), or all."""
    wanted = tuple(beginnings) or ("",)
    with run_chromium() as chromium:
        for scale in (1, 2):
            context = make_context(chromium, device_scale_factor=scale)
            studio = Studio(context.new_page())
            for shot in SHOTS:
                if shot.scale == scale and shot.file.name.startswith(wanted):
                    save(shot.file, take(studio, shot), shot.colours)
            close_context(context)
        if SHEET.name.startswith(wanted):
            states = {shot.scene.name: shot.file.read_bytes() for shot in STATES}
            save(SHEET, take_sheet(chromium.new_page(), states), SHEET_COLOURS)
