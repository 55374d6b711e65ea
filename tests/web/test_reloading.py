"""Pages that run no JavaScript."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from channels_progress.records import TaskState
from channels_progress.reloading import find_reload_s
from tests.web.conftest import MakeRequest, MakeTask
from tests.web.markup import Page
from tests.web.test_tags import handle, render

NOW = 1_790_000_000_000
MINUTE_MS = 60_000


def make_state(state: str = "PROGRESS", **changes: Any) -> dict[str, Any]:
    return {"state": state, "created_at": NOW, "began_at": 0, **changes}


def read_reload(page: Page) -> tuple[list[str], str]:
    """How often the page is loaded again, and what it says about that."""
    contents = [each.attributes["content"] for each in page.all("meta") if "http-equiv" in each.attributes]
    return contents, " ".join(each.text for each in page.all("noscript") if each.text)


@pytest.mark.parametrize(
    ("age_ms", "every_s"),
    [(-MINUTE_MS, 5), (0, 5), (2 * MINUTE_MS - 1, 5), (2 * MINUTE_MS, 15), (30 * MINUTE_MS, 60), (10**9, 60)],
)
def test_pages_are_loaded_less_and_less_often(age_ms: int, every_s: int) -> None:
    assert find_reload_s(make_state(created_at=NOW - age_ms), NOW) == every_s


def test_new_attempt_is_watched_closely_again() -> None:
    assert find_reload_s(make_state(created_at=NOW - 60 * MINUTE_MS, began_at=NOW - MINUTE_MS), NOW) == 5


@pytest.mark.parametrize(("waits_ms", "every_s"), [(1_500, 5), (20_000, 20), (60 * MINUTE_MS, 60)])
def test_scheduled_task_is_looked_at_when_it_begins(waits_ms: int, every_s: int) -> None:
    assert find_reload_s(make_state("PENDING", starts_at=NOW + waits_ms), NOW) == every_s


@pytest.mark.parametrize("state", ["SUCCESS", "FAILURE", "REVOKED", "IGNORED"])
def test_ended_task_is_not_looked_at_again(state: str) -> None:
    assert find_reload_s(make_state(state), NOW) == 0


@pytest.mark.parametrize("state", [TaskState.PENDING, TaskState.STARTED, TaskState.PROGRESS, TaskState.RETRY])
def test_page_says_how_often_it_is_loaded_again_and_how_to_stop_that(
    make_task: MakeTask, alice_client: Client, owner: str, state: TaskState
) -> None:
    make_task(state=state, owner=owner)
    page = Page(alice_client.get("/tasks/a/").text)
    assert read_reload(page) == (["5"], "This page loads itself again every 5 s. Stop that")
    paused = Page(alice_client.get("/tasks/a/?reload=off").text)
    assert read_reload(paused) == ([], "This page shows how things were when it was opened. Keep it up to date")
    targets = [
        link.attributes["href"] for each in (page, paused) for link in each.all("a") if "noscript" in link.inside
    ]
    assert targets == ["/tasks/a/?reload=off", "/tasks/a/"]


@pytest.mark.parametrize(("query", "every_s"), [("", "10"), ("state=active", "10"), ("state=failed&page=1", "60")])
def test_list_says_how_often_it_is_loaded_again_and_how_to_stop_that(
    make_task: MakeTask, alice_client: Client, owner: str, query: str, every_s: str
) -> None:
    make_task(owner=owner)
    page = Page(alice_client.get(f"/tasks/?{query}").text)
    assert read_reload(page) == ([every_s], f"This page loads itself again every {every_s} s. Stop that")
    (stop,) = [link.attributes["href"] for link in page.all("a") if "noscript" in link.inside]
    assert stop == f"/tasks/?{query}&reload=off".replace("?&", "?")
    paused = Page(alice_client.get(stop).text)
    assert read_reload(paused) == ([], "This page shows how things were when it was opened. Keep it up to date")
    (go_on,) = [link.attributes["href"] for link in paused.all("a") if "noscript" in link.inside]
    assert go_on == f"/tasks/?{query}".removesuffix("?")


def test_list_on_which_nothing_runs_says_nothing_of_it(make_task: MakeTask, alice_client: Client, owner: str) -> None:
    make_task(state=TaskState.SUCCESS, owner=owner)
    assert read_reload(Page(alice_client.get("/tasks/").text)) == ([], "")


def test_page_of_an_ended_task_says_nothing_of_it(make_task: MakeTask, alice_client: Client, owner: str) -> None:
    make_task(state=TaskState.SUCCESS, owner=owner)
    assert read_reload(Page(alice_client.get("/tasks/a/").text)) == ([], "")


def test_page_of_ones_own_leads_to_the_page_that_is_kept_up_to_date(
    make_task: MakeTask, make_request: MakeRequest, alice: Any, owner: str
) -> None:
    make_task(owner=owner)
    page = render("{% task_progress task %}", make_request(alice), task="a")
    assert read_reload(page) == ([], "Follow it on a page of its own")
    assert "/tasks/a/" in [link.attributes.get("href") for link in page.all("a")]


def test_page_whose_view_alone_permits_to_watch_asks_to_be_loaded_again(
    make_task: MakeTask, make_request: MakeRequest
) -> None:
    make_task()
    page = render("{% task_progress task %}", make_request(), task=handle())
    assert read_reload(page) == ([], "Load this page again to see how it goes on.")


@pytest.mark.parametrize("option", ["compact=True", "headless=True"])
def test_rows_and_headless_elements_say_nothing(
    make_task: MakeTask, make_request: MakeRequest, alice: Any, owner: str, option: str
) -> None:
    make_task(owner=owner)
    page = render("{% task_progress task " + option + " %}", make_request(alice), task="a")
    assert read_reload(page) == ([], "")
