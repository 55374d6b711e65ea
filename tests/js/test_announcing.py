"""What a screen reader is told, and when: one polite live region per task, one voice for the page."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from channels_progress.records import Liveness, Message, TaskState
from tests.js.stage import Stage, make_record

pytestmark = pytest.mark.browser

LISTEN = """
    window.spoken = [];
    const secondsSince = (at) => Math.floor((performance.now() - at) / 1000);
    window.startedAt = performance.now();
    for (const region of document.querySelectorAll("[data-progress=announcer]"))
        new MutationObserver(() => spoken.push([secondsSince(startedAt), region.textContent]))
            .observe(region, { childList: true, characterData: true, subtree: true });
"""


def listen(stage: Stage, *uids: str, **options: Any) -> None:
    """Open a page with running tasks, at a clock that the test moves, and note what is spoken."""
    stage.page.clock.install()
    for uid in uids:
        stage.set_reading(make_record(uid, epoch=f"e-{uid}", body={"title": f"Task {uid}", "fraction": 0.1}))
    stage.visit(*uids, **options)
    for uid in uids:
        expect(stage.hook("percent", uid)).to_have_text("10%")
    # What was new then, against the page as it was served, has been said.
    stage.page.clock.pause_at(stage.page.evaluate("Date.now()") / 1000 + 2)
    stage.page.clock.run_for(20_000)
    stage.page.evaluate(LISTEN)


def let_draw(stage: Stage, locator: Locator, text: str) -> None:
    """The clock goes on, by as little as it takes for the page to show what has arrived."""
    stage.wait_until(lambda: locator.text_content() == text or stage.page.clock.run_for(20))


def report(stage: Stage, uid: str, seq: int, state: TaskState = TaskState.PROGRESS, **options: Any) -> None:
    """A hint arrives, and the page has drawn it."""
    body = {"title": f"Task {uid}", "message": f"hint {seq}", **options.pop("body", {})}
    record = {name: options.pop(name) for name in ("reason", "attempt", "cancelling") if name in options}
    stage.hint(make_record(uid, epoch=f"e-{uid}", seq=seq, state=state, body=body, **record), **options)
    if state is TaskState.SUCCESS:
        let_draw(stage, stage.hook("percent", uid), "100%")
    else:
        let_draw(stage, stage.hook("message", uid), f"hint {seq}")


def spoken(stage: Stage) -> list[list[Any]]:
    """[seconds, sentence] of all that was said since ``listen``."""
    said: list[list[Any]] = stage.page.evaluate("spoken")
    return said


def sentences(stage: Stage) -> list[str]:
    return [sentence for _, sentence in spoken(stage)]


def test_nothing_else_on_the_page_speaks_by_itself(stage: Stage) -> None:
    listen(stage, "a")
    region = stage.task().get_by_role("status")
    assert (region.count(), region.get_attribute("data-progress")) == (1, "announcer")
    assert stage.task().get_by_role("log").get_attribute("aria-live") == "off"
    assert stage.task().locator("[role=alert], [aria-live=polite], [aria-live=assertive]").count() == 0


def test_opening_the_page_is_silent_and_so_is_what_is_not_worth_a_word(stage: Stage) -> None:
    listen(stage, "a")
    report(stage, "a", 2, body={"fraction": 0.19, "rate": 5})
    report(stage, "a", 3, body={"fraction": 0.15}, messages=[Message("info", "A line", 1, 1)])
    stage.page.clock.run_for(10_000)
    assert spoken(stage) == []


def test_every_tenth_is_told_but_not_more_often_than_every_five_seconds(stage: Stage) -> None:
    listen(stage, "a")
    for seq, tenths in enumerate(range(2, 9), start=2):
        report(stage, "a", seq, body={"fraction": tenths / 10})
        stage.page.clock.run_for(1_000)
    stage.page.clock.run_for(10_000)
    assert spoken(stage) == [[0, "Task a: 20%."], [5, "Task a: 60%."], [10, "Task a: 80%."]]


def test_stage_is_told_with_the_percent_and_is_the_text_of_the_bar(stage: Stage) -> None:
    listen(stage, "a")
    stage_data = {"name": "Importing", "index": 2, "count": 3, "declared": True}
    report(stage, "a", 2, body={"fraction": 0.42, "stage": stage_data})
    assert sentences(stage) == ["Task a: Step 2 of 3: Importing, 42%."]
    assert stage.hook("bar").get_attribute("aria-valuetext") == "Step 2 of 3: Importing, 42%"
    report(stage, "a", 3, body={"fraction": 0.43})
    assert stage.hook("bar").get_attribute("aria-valuetext") is None


def test_warnings_and_errors_are_counted(stage: Stage) -> None:
    listen(stage, "a")
    lines = [Message("warning", "One", 1, 1), Message("error", "Two", 2, 1), Message("warning", "Three", 3, 1)]
    report(stage, "a", 2, body={"fraction": 0.1}, messages=lines)
    stage.page.clock.run_for(6_000)
    report(stage, "a", 3, body={"fraction": 0.1}, messages=[Message("error", "Four", 4, 1)])
    assert sentences(stage) == ["Task a: Warnings: 2. Errors: 1.", "Task a: Errors: 1."]


def test_state_is_told_with_what_it_means(stage: Stage) -> None:
    listen(stage, "a")
    report(stage, "a", 2, body={"fraction": 0.1}, cancelling=True, reason="Wrong file", liveness=Liveness.STALLED)
    (sentence,) = sentences(stage)
    assert sentence == (
        "Task a: Not responding. Nothing has been heard from its worker for a while. This page goes on watching. "
        "The task stops when it next reports. Wrong file."
    )


def test_end_is_told_at_once(stage: Stage) -> None:
    listen(stage, "a")
    report(stage, "a", 2, body={"fraction": 0.5})
    report(stage, "a", 3, TaskState.FAILURE, body={"fraction": 0.5}, reason="Column 3 is not a date")
    assert spoken(stage) == [[0, "Task a: 50%."], [0, "Task a: Failed. Column 3 is not a date."]]


def test_tasks_of_a_page_take_turns_and_ends_go_first(stage: Stage) -> None:
    listen(stage, "a", "b", "c", "d")
    for uid in "abc":
        report(stage, uid, 2, body={"fraction": 0.5})
    report(stage, "d", 2, TaskState.SUCCESS)
    stage.page.clock.run_for(12_000)
    assert spoken(stage) == [
        [0, "Task a: 50%."],
        [0, "Task d: Done."],
        [2, "Task b: 50%."],
        [4, "Task c: 50%."],
    ]


def test_several_ends_do_not_talk_over_one_another(stage: Stage) -> None:
    listen(stage, "a", "b", "c")
    for uid in "abc":
        report(stage, uid, 2, TaskState.SUCCESS)
    stage.page.clock.run_for(12_000)
    assert spoken(stage) == [[0, "Task a: Done."], [2, "Task b: Done."], [4, "Task c: Done."]]


def test_an_element_that_becomes_another_task_says_nothing_of_the_former(stage: Stage) -> None:
    listen(stage, "a", "b")
    for seq, fraction in ((2, 0.2), (3, 0.4)):
        report(stage, "a", seq, body={"fraction": fraction})
    stage.task("a").evaluate("element => element.setAttribute('channel', 'task:c')")
    report(stage, "b", 2, body={"fraction": 0.2})
    stage.page.clock.run_for(10_000)
    assert sentences(stage) == ["Task a: 20%.", "Task b: 20%."]


def test_compact_task_tells_its_end_only(stage: Stage) -> None:
    listen(stage, "a", compact=True)
    body = {"title": "Task a", "fraction": 0.6}
    stage.hint(make_record(epoch="e-a", seq=2, body=body), messages=[Message("error", "No", 1, 1)])
    let_draw(stage, stage.hook("percent"), "60%")
    stage.page.clock.run_for(6_000)
    assert spoken(stage) == []
    report(stage, "a", 3, TaskState.SUCCESS)
    assert sentences(stage) == ["Task a: Done. Errors: 1."]


def test_lost_connection_is_told(stage: Stage) -> None:
    listen(stage, "a")
    stage.is_socket_open = False
    stage.answers["/tasks/a/"] = (503, {"error": "unavailable"})
    stage.cut()
    stage.wait_until(lambda: stage.page.clock.run_for(500) or spoken(stage))
    assert sentences(stage) == ["Task a: The connection was lost. Trying again…"]


def test_headless_element_tells_its_events_and_takes_no_room(stage: Stage) -> None:
    stage.page.add_init_script("window.told = []; addEventListener('task-progress:done', () => told.push('done'))")
    stage.visit("a", headless=True)
    expect(stage.task()).to_have_attribute("connection", "open")
    stage.hint(make_record(seq=2))
    stage.hint(make_record(seq=3, state=TaskState.SUCCESS))
    expect(stage.task()).to_have_attribute("state", "SUCCESS")
    stage.wait_until(lambda: stage.page.evaluate("told") == ["done"])
    assert stage.task().bounding_box() is None
    assert stage.task().inner_html().strip() == ""
