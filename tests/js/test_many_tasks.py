"""Fifty tasks on one page, on a slow processor: what the page does for each update, counted rather than timed."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import CDPSession, expect

from channels_progress.records import Message, TaskState
from tests.js.stage import Stage, make_record

pytestmark = pytest.mark.browser

UIDS = [f"t{number}" for number in range(50)]
UPDATES = 20
THROTTLE = 4
SLOW_MS = 60_000
# How many attributes and texts one update with a message may touch: each figure, the bar, the log. About 8, and the
# clocks tick meanwhile.
MAX_CHANGES = 20
# Twice for each of a few frames; twice for each log were a hundred.
MAX_LAYOUTS = 40

# Keeps the page from drawing, to see what it would do in one frame.
HOLD = """
window.ask = window.requestAnimationFrame;
window.held = null;
window.requestAnimationFrame = (callback) => held ? held.push(callback) : ask(callback);
"""
TAKE_HOLD = """async ([channel, token]) => {
    const { getClient } = await import("/static/channels_progress/channels_progress.js");
    window.held = [];
    window.hasArrived = false;
    const last = getClient("/asgi/notifications/").watch({ channel, token });
    last.addEventListener("update", () => { last.close(); window.hasArrived = true; });
}"""
LET_GO = """() => new Promise((done) => ask((now) => {
    const callbacks = held;
    held = null;
    window.changes = 0;
    window.observer?.disconnect();
    window.observer = new MutationObserver((records) => { changes += records.length; });
    observer.observe(document.body, { attributes: true, characterData: true, childList: true, subtree: true });
    callbacks.forEach((callback) => callback(now));
    done(callbacks.length);
}))"""
# How long anything takes, by the page's clock: no time at all, or long.
FAST = "performance.now = () => 0;"
SLOW = "let clock = 0; performance.now = () => (clock += 100);"


@pytest.fixture
def devtools(stage: Stage) -> CDPSession:
    """Of a page that shows fifty running tasks on a slow processor."""
    stage.page.add_init_script(HOLD)
    for uid in UIDS:
        stage.set_reading(record_of(uid, 1))
    stage.visit(*UIDS)
    session = stage.page.context.new_cdp_session(stage.page)
    session.send("Performance.enable")
    session.send("Emulation.setCPUThrottlingRate", {"rate": THROTTLE})
    expect(stage.page.locator("task-progress[state=PROGRESS]")).to_have_count(len(UIDS), timeout=SLOW_MS)
    return session


def record_of(uid: str, seq: int, state: TaskState = TaskState.PROGRESS) -> Any:
    body = {
        "fraction": seq / (UPDATES + 5), "current": seq, "total": UPDATES + 5, "message": f"Row {seq}",
        "rate": 10 + seq, "eta_s": 100 + seq * 20, "counters": {"skipped": seq},
    }  # fmt: skip
    return make_record(uid, epoch=f"e-{uid}", seq=seq, state=state, body=body)


def count_layouts(devtools: CDPSession) -> int:
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return int(next(metric["value"] for metric in metrics if metric["name"] == "LayoutCount"))


def test_every_end_is_shown_over_one_socket(stage: Stage, devtools: CDPSession) -> None:
    for seq in range(2, UPDATES + 2):
        for uid in UIDS:
            stage.hint(record_of(uid, seq), messages=[Message("info", "line", seq - 1, 1)])
    for number, uid in enumerate(UIDS):
        stage.hint(record_of(uid, UPDATES + 2, TaskState.SUCCESS if number % 5 else TaskState.FAILURE))
    for state, number in {"SUCCESS": 40, "FAILURE": 10}.items():
        expect(stage.page.locator(f"task-progress[state={state}]")).to_have_count(number, timeout=SLOW_MS)
    assert (len(stage.sockets), len(stage.heard_of("subscribe"))) == (1, 50)


def hold_updates(stage: Stage, seq: int) -> None:
    """An update of every task has come, and the page may not draw yet."""
    stage.page.evaluate(TAKE_HOLD, [f"task:{UIDS[-1]}", stage.task(UIDS[-1]).get_attribute("token")])
    for uid in UIDS:
        stage.hint(record_of(uid, seq), messages=[Message("info", "line", seq - 1, 1)])
    stage.wait_until(lambda: stage.page.evaluate("hasArrived"))


def test_many_updates_are_few_changes_and_few_layouts(stage: Stage, devtools: CDPSession) -> None:
    # Else tasks would take turns where the machine is busy.
    stage.page.evaluate(FAST)
    for seq in (2, 3):
        hold_updates(stage, seq)
        layouts = count_layouts(devtools)
        assert stage.page.evaluate(LET_GO) == 1
        expect(stage.page.get_by_text(f"Row {seq}")).to_have_count(len(UIDS), timeout=SLOW_MS)
        assert count_layouts(devtools) - layouts <= MAX_LAYOUTS
        assert stage.page.evaluate("changes") <= MAX_CHANGES * len(UIDS)
    assert len(stage.sockets) == 1


def test_tasks_take_turns_where_drawing_takes_long(stage: Stage, devtools: CDPSession) -> None:
    stage.page.evaluate(SLOW)
    for seq in (2, 3):
        hold_updates(stage, seq)
        stage.page.evaluate(LET_GO)
        drawn = stage.page.evaluate(f"document.body.innerText.split('Row {seq}').length - 1")
        expect(stage.page.get_by_text(f"Row {seq}")).to_have_count(len(UIDS), timeout=SLOW_MS)
    assert 1 <= drawn < len(UIDS)


def test_an_update_that_says_nothing_new_changes_nothing(stage: Stage, devtools: CDPSession) -> None:
    stage.page.evaluate(
        """window.changes = [];
        new MutationObserver((records) => changes.push(...records.map(({ target }) => target.nodeName)))
            .observe(document.querySelector("task-progress [data-progress=link]").parentElement,
                { attributes: true, characterData: true, childList: true, subtree: true });
        undefined"""
    )
    stage.hint(record_of(UIDS[0], 2))
    expect(stage.hook("message", UIDS[0])).to_have_text("Row 2")
    assert stage.page.evaluate("changes") == []
