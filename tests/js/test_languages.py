"""A page in another language and time zone: the client writes what the server wrote."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from django.utils import timezone, translation
from playwright.sync_api import expect

from channels_progress.display import describe_task
from channels_progress.records import Message, TaskState
from channels_progress.store import get_store
from tests.js.stage import Stage
from tests.web.markup import Page
from tests.web.test_display import CASES, RUNNING

pytestmark = pytest.mark.browser

DESCRIBE = """async (cases) => {
    const { describeTask } = await import("/static/channels_progress/channels_progress.js");
    const texts = JSON.parse(document.getElementById("channels-progress-texts").textContent);
    return cases.map(({ state, now, attempt }) => describeTask(state, now, texts, { attempt }));
}"""
SHOWN = """element => Object.fromEntries([...element.querySelectorAll("[data-progress]")]
    .map((hook) => [hook.dataset.progress, hook.textContent.trim().replace(/\\s+/g, " ")])
    .filter(([name, text]) => text))"""

FORGET = """element => {
    element.querySelector("[data-progress=messages]").replaceChildren();
    element.querySelectorAll("span, dd").forEach((hook) => (hook.textContent = ""));
    element.setAttribute("data-frame", "{}");
}"""


@pytest.mark.parametrize("language", ["pl", "de"])
def test_client_words_every_state_as_the_server_does(stage: Stage, language: str) -> None:
    cases = [{"now": 0, "attempt": 1, **case, "state": {**RUNNING, **case["state"]}} for case in CASES]
    with translation.override(language):
        stage.visit("a")
        server = [asdict(describe_task(case["state"], case["now"], case["attempt"])) for case in cases]
    assert stage.page.evaluate(DESCRIBE, cases) == json.loads(json.dumps(server))


def end(uid: str, **body: Any) -> None:
    """A task that took no time to fail."""
    get_store().create(uid, owner="user:7", body="{}")
    get_store().begin(uid, delivery="d", owner="user:7", body="{}")
    lines = [Message("warning", "Pusty wiersz"), Message("info", "Koniec")]
    get_store().finish(uid, TaskState.FAILURE, delivery="d", body=json.dumps(body), messages=lines)


# A fixed offset has no name that a browser would know.
@pytest.mark.parametrize("zone", ["Europe/Warsaw", "Asia/Kathmandu", timezone.get_fixed_timezone(345)])
def test_page_in_polish_does_not_change_when_the_client_takes_over(stage: Stage, zone: Any) -> None:
    end("a", title="Import miast", current=1204.5, total=32000, unit="wierszy", fraction=0.376, counters={"404": 2})
    snapshot = get_store().read("a")
    assert snapshot
    stage.set_reading(snapshot.record, messages=snapshot.messages)
    with translation.override("pl"), timezone.override(zone):
        stage.visit("a")
    expect(stage.task()).to_have_attribute("connection", "open")
    # Drawn anew, all of it: in one go, so that nothing is drawn in between.
    stage.task().evaluate(FORGET)
    expect(stage.hook("count")).not_to_be_empty()
    expect(stage.hook("messages").locator("li")).to_have_count(2)
    shown, served = stage.task().evaluate(SHOWN), Page(stage.html).hooks()
    assert shown == served
    assert (shown["count"], shown["status"]) == ("1 204,5 / 32 000 wierszy", "Nie powiodło się")
