"""The page of a task in the admin: what stands below the live element is read again when, and only when, it is old."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from channels_progress.records import TaskState
from tests.js.stage import ORIGIN, Stage, make_record

pytestmark = pytest.mark.browser

SCRIPT = '<script type="module" src="/static/channels_progress/admin.js"></script>'


def test_the_record_is_read_again_with_each_new_state(stage: Stage) -> None:
    record, served = ["1 PROGRESS"], []

    def serve() -> str:
        served.append(record[-1])
        below = f'<div id="task-record" data-of="{record[-1]}">{record[-1]}</div>'
        return stage.build_page(stage.render("a", redirect=False) + below, head=SCRIPT)

    stage.served["/page/"] = serve
    stage.set_reading(make_record(body={"fraction": 0.1}))
    stage.page.goto(f"{ORIGIN}/page/")
    expect(stage.hook("percent")).to_have_text("10%")
    stage.hint(make_record(seq=2, body={"fraction": 0.2}))
    expect(stage.hook("percent")).to_have_text("20%")
    record.append("1 SUCCESS")
    stage.hint(make_record(seq=3, state=TaskState.SUCCESS))
    expect(stage.page.locator("#task-record")).to_have_text("1 SUCCESS")
    assert served == record
