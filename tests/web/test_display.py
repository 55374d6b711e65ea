"""What a person reads. The cases are shared with the client's tests, so that both word a state alike."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from channels_progress.display import TaskDisplay, describe_task, describe_unknown
from channels_progress.events import state_data
from channels_progress.formats import format_number
from channels_progress.records import Liveness, TaskRecord, TaskState
from channels_progress.texts import TEXTS, client_texts

CASES = json.loads(Path(__file__).with_name("display_cases.json").read_text())
RECORD = TaskRecord(uid="a", epoch="e", attempt=1, seq=1, state=TaskState.PROGRESS, body={})
RUNNING = state_data(RECORD, Liveness.LIVE)


def describe(**state: Any) -> TaskDisplay:
    return describe_task({**RUNNING, **state}, 0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_state_is_worded(case: dict[str, Any]) -> None:
    display = asdict(describe_task({**RUNNING, **case["state"]}, case.get("now", 0), case.get("attempt", 1)))
    expected = asdict(TaskDisplay(status="")) | case["expected"]
    assert display | {"counters": [list(pair) for pair in display["counters"]]} == expected | {
        "counters": expected["counters"] or []
    }


def test_a_state_that_cannot_be_read_is_said_so() -> None:
    assert describe_unknown() == TaskDisplay(status="The state is not known right now")


def test_numbers_follow_the_active_language() -> None:
    with translation.override("de"):
        numbers = [format_number(1234567), format_number(1234.56)]
    assert numbers == ["1.234.567", "1.234,6"]


@pytest.mark.parametrize(
    ("fraction", "percent"), [(0, "0%"), (0.0099, "0%"), (0.29, "29%"), (0.99, "99%"), (0.9999, "99%"), (1, "99%")]
)
def test_percent_is_never_ahead_of_the_task(fraction: float, percent: str) -> None:
    assert describe(fraction=fraction).percent == percent


def test_client_gets_every_text_and_the_separators() -> None:
    with translation.override("de"):
        texts = client_texts()
    assert set(texts) == {*TEXTS, "locale", "decimal_separator", "thousand_separator", "time_zone", "utc_offset_s"}
    assert {type(text) for text in texts.values()} == {str}
    assert (texts["locale"], texts["decimal_separator"], texts["thousand_separator"]) == ("de", ",", ".")
