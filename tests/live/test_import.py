"""The main job, end to end: real browser, real worker, real server, real Redis."""

from __future__ import annotations

import re
from itertools import pairwise

from playwright.sync_api import Page, expect

from example_project.stack import Stack
from tests.live.conftest import LogIn, cancel_all
from tests.live.watching import note_updates, read_notes

ALL_CITIES = 34_003
LOG = [
    "Warning: Skipped Thomas Magena home (KE): no population",
    "Warning: Skipped Plymouth (MS): no population",
    "Warning: Skipped Ngerulmud (PW): no population",
    "Success: 34,003 cities imported",
]
# What another person's page would have to do to look over somebody's shoulder.
SUBSCRIBE_WITH = """
async ([path, token]) => {
  const socket = new WebSocket(new URL(path, location.href), ["channels-progress"]);
  socket.onopen = () => socket.send(JSON.stringify({ type: "subscribe", token }));
  const { data } = await new Promise((resolve, reject) => {
    socket.onmessage = resolve;
    socket.onclose = reject;
  });
  socket.close();
  return JSON.parse(data);
}
"""


def start_import(page: Page, min_population: int = 15_000) -> str:
    """Press the button; the address of the task's page."""
    page.locator("#import-form select").select_option(str(min_population))
    page.locator("#import-form button").click()
    page.wait_for_url(re.compile("/tasks/"))
    return page.url


def read_main(text: str) -> str:
    """What a page says, without the header, the messages, and the tokens in them."""
    return text.partition("<main")[2].partition("</main>")[0]


def test_import_is_seen_to_grow_and_leads_to_the_cities(log_in: LogIn, stack: Stack) -> None:
    page = log_in("ada")
    note_updates(page)
    start_import(page)
    page.wait_for_url(f"{stack.url}/cities/")
    notes = read_notes(page)
    bars = [float(note["bar"]) for note in notes if note["bar"] is not None]
    assert all(earlier <= later for earlier, later in pairwise(bars))
    assert len(set(bars)) >= 5
    assert {note["percent"] for note in notes[:-1]}.isdisjoint({"100%", "100 %"})
    assert {note["state"] for note in notes[:-1]} <= {"PENDING", "STARTED", "PROGRESS"}
    assert notes[-1]["state"] == "SUCCESS"
    count = page.locator("#city-count").inner_text()
    assert int(count.replace(",", "")) >= ALL_CITIES


def test_skipped_rows_are_shown_as_warnings_in_order(log_in: LogIn) -> None:
    page = log_in("ada")
    note_updates(page)
    start_import(page)
    page.wait_for_url(re.compile("/cities/"))
    assert read_notes(page)[-1]["messages"] == LOG


def test_somebody_else_finds_no_page_no_state_and_no_subscription(log_in: LogIn, stack: Stack) -> None:
    ada, ben = log_in("ada"), log_in("ben")
    url = start_import(ada)
    element = ada.locator("main task-progress")
    token, socket = element.get_attribute("token"), element.get_attribute("socket")
    assert ben.evaluate(SUBSCRIBE_WITH, [socket, token]) == {"type": "refused", "v": 1}
    headers = {"X-Channels-Progress-Token": token or "", "Accept": "application/json"}
    assert ben.request.get(url, headers=headers).status == 404
    forbidden, unknown = ben.request.get(url), ben.request.get(f"{stack.url}/tasks/unknown/")
    assert (forbidden.status, read_main(forbidden.text())) == (404, read_main(unknown.text()))


def test_page_opened_after_the_end_shows_it_at_once_and_stays(log_in: LogIn, stack: Stack) -> None:
    page = log_in("ada")
    url = start_import(page)
    page.wait_for_url(f"{stack.url}/cities/")
    page.goto(url)
    element = page.locator("main task-progress")
    expect(element).to_have_attribute("state", "SUCCESS")
    link = element.locator("[data-progress=link]")
    expect(link).to_be_visible()
    expect(element.locator("[data-progress=percent]")).to_have_text(re.compile("100"))
    expect(element).to_have_attribute("connection", re.compile("open|closed"))
    assert page.url == url
    link.click()
    page.wait_for_url(f"{stack.url}/cities/")


def test_cancelled_from_the_page_it_ends_as_cancelled(log_in: LogIn) -> None:
    page = log_in("ada")
    start_import(page, min_population=1_000)
    element = page.locator("main task-progress")
    expect(element).to_have_attribute("state", "PROGRESS")
    element.get_by_role("button", name="Cancel").click()
    expect(element).to_have_attribute("state", "REVOKED")
    expect(element.get_by_role("button", name="Cancel")).to_be_hidden()


def test_failing_import_tells_which_row_is_unusable(log_in: LogIn) -> None:
    page = log_in("ben")
    page.locator("#strict-form button").click()
    element = page.locator("main task-progress")
    expect(element).to_have_attribute("state", "FAILURE", timeout=60_000)
    expect(element.locator("[data-progress=reason]")).to_have_text(
        "Row 20,567 is unusable: Thomas Magena home (KE): no population. Nothing was saved."
    )
    expect(element.locator("[data-progress=count]")).to_have_text("20,566 of 34,006 rows")


def test_five_jobs_share_one_page_and_one_socket(log_in: LogIn, stack: Stack) -> None:
    page = log_in("ben")
    page.locator("#several-form button").click()
    page.wait_for_url(f"{stack.url}/several/")
    # A page of its own: the one before had sockets as well, for the tasks in its header.
    page = page.context.new_page()
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.goto("/several/")
    expect(page.locator("main task-progress[connection=open]")).to_have_count(5)
    expect(page.locator("main task-progress[state=PROGRESS]").first).to_be_visible()
    # One with the page's id.
    assert [url.partition("?")[0] for url in sockets] == [stack.url.replace("http", "ws") + "/asgi/notifications/"]
    cancel_all(page)
