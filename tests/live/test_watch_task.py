"""``manage.py watch_task`` of the example site's jobs, as processes."""

from __future__ import annotations

import re

import pytest

from example_project.site_client import SiteClient
from example_project.stack import Stack, StackFailed


def start(client: SiteClient, form: str, **choices: str) -> str:
    """Send a form of the start page; the id of the task that it started."""
    page = client.submit(client.get("/"), form, **choices)
    return page.url.removesuffix("/").rpartition("/")[2]


def test_the_main_job_is_shown_to_its_end(client: SiteClient, stack: Stack) -> None:
    uid = start(client, "import-form")
    first, *between, last = stack.manage("watch_task", uid, "--interval=0.05", "--timeout=120").splitlines()
    assert first == f"Import cities ({uid})"
    assert {line.partition(" ")[2] for line in between} >= {
        "Warning: Skipped Plymouth (MS): no population",
        "Success: 34,003 cities imported",
    }
    assert re.fullmatch(r"[\d:]{8} Done  34,0\d\d of 34,0\d\d rows  took 0:\d\d  skipped 3  → /cities/", last), last


def test_a_failure_is_the_exit_status(client: SiteClient, stack: Stack) -> None:
    with pytest.raises(StackFailed, match=r"ended with status 1\.\n[^§]* Failed: "):
        stack.manage("watch_task", start(client, "strict-form"), "--timeout=120")
