"""Notes what a page shows of its tasks, across a redirect, from before its first script."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page

NOTE_UPDATES = """
addEventListener("task-progress:update", (event) => {
  const shown = (name) => event.target.querySelector(`[data-progress=${name}]`);
  const notes = JSON.parse(sessionStorage.getItem("notes") ?? "[]");
  notes.push({
    state: event.target.getAttribute("state"),
    bar: shown("bar").getAttribute("value"),
    percent: shown("percent").textContent,
    stage: shown("stage").textContent,
    messages: Array.from(shown("messages").children, (line) => line.textContent.replace(/^[0-9:]{8} /, "")),
  });
  sessionStorage.setItem("notes", JSON.stringify(notes));
});
"""


def note_updates(page: Page) -> None:
    """Begin to note; call it before the page with the task opens."""
    page.context.add_init_script(NOTE_UPDATES)


def read_notes(page: Page) -> list[dict[str, Any]]:
    """What the page showed at each update of a task: state, bar, percent, stage and messages."""
    notes: list[dict[str, Any]] = json.loads(page.evaluate("sessionStorage.getItem('notes')") or "[]")
    return notes
