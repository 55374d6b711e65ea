"""Tasks in the admin of the example site: a worker runs them, a browser shows them, nothing inline."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.live.conftest import LogIn

# Ours; the rest of the page is the admin's.
OURS = ["task-progress", "#task-record", "#changelist-form"]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def fact(page: Page, label: str) -> Locator:
    return page.locator(".task-facts > div").filter(has=page.locator("dt", has_text=label)).locator("dd")


def start_import(page: Page) -> str:
    """Start an import, and leave it running; its id."""
    page.locator("#import-form button").click()
    page.wait_for_url(re.compile("/tasks/"))
    return page.url.rstrip("/").rpartition("/")[2]


def test_staff_watch_and_cancel_the_task_of_somebody_else(log_in: LogIn) -> None:
    ben, ada = log_in("ben"), log_in("ada")
    uid = start_import(ben)
    ada.goto("/admin/")
    ada.get_by_role("link", name="Tasks").first.click()
    row = ada.get_by_role("row").filter(has=ada.locator(f'a[href*="{uid}"]'))
    expect(row).to_contain_text("ben")
    row.locator("th a").click()
    element = ada.locator("task-progress")
    expect(element).to_have_attribute("connection", "open")
    expect(element).to_have_attribute("state", "PROGRESS")
    element.get_by_label("Reason").fill("The rows are old")
    element.get_by_role("button", name="Cancel").click()
    for page in (ada, ben):
        expect(page.locator("task-progress:not(my-tasks *)")).to_have_attribute("state", "REVOKED")
        expect(page.locator("main [data-progress=reason]")).to_have_text("The rows are old")
    # What stands below the live element has followed it.
    expect(fact(ada, "State")).to_have_text("Cancelled (REVOKED)")
    expect(fact(ada, "Celery name")).to_have_text("example_project.cities.tasks.import_cities")
    expect(fact(ada, "Worker")).to_contain_text("@")
    ada.get_by_role("link", name="History").click()
    expect(ada.get_by_role("cell", name="Cancelled. Reason: The rows are old")).to_be_visible()


def test_staff_read_the_traceback_of_a_failure(log_in: LogIn) -> None:
    page = log_in("ada")
    page.locator("#strict-form button").click()
    expect(page.locator("task-progress:not(my-tasks *)")).to_have_attribute("state", "FAILURE", timeout=60_000)
    page.get_by_role("link", name="Open in the admin").click()
    expect(page.locator("#task-record pre").last).to_contain_text("Traceback (most recent call last)")
    page.get_by_role("link", name="Its row of django-celery-results").click()
    expect(page.locator("body")).to_contain_text("import_cities_strictly")


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_list_and_in_a_task(log_in: LogIn, npm_packages: Path, color_scheme: str) -> None:
    # The site's policy keeps out what a test puts in.
    page = log_in("ada", color_scheme=color_scheme, bypass_csp=True)
    uid = start_import(page)
    for path in ("", f"{uid}/change/"):
        page.goto(f"/admin/channels_progress/task/{path}")
        page.add_script_tag(path=npm_packages / "axe-core" / "axe.min.js")
        options = json.dumps({"runOnly": TAGS, "resultTypes": ["violations"]})
        found = page.evaluate(
            f"([include]) => axe.run({{ include }}, {options})",
            [[selector for selector in OURS if page.locator(selector).count()]],
        )
        assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]] == []
