"""What ``docs/rest.md`` shows is what there is."""

from __future__ import annotations

import json
import re
from typing import Any

from django.contrib.auth.models import Group, User

from channels_progress.notifications import notify
from channels_progress.rest.serializers import InboxAction
from tests.rest.front_end import FrontEnd
from tests.tooling import ROOT

PAGE = (ROOT / "docs/rest.md").read_text()


def name_keys(value: Any) -> Any:
    """The keys in their order, of what is nested, too; values by their types."""
    if isinstance(value, dict):
        return [(key, name_keys(each)) for key, each in value.items()]
    if isinstance(value, list):
        return [name_keys(each) for each in value]
    return type(value)


def test_answer_looks_like_that(front_end: FrontEnd, alice: User, bob: User) -> None:
    [shown] = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    instance = shown["notifications"][0]["notification"]["instance"]
    notify(
        alice, "a", actor=bob, instance=Group(pk=1, name="b"), serializer=lambda _: instance, action="POST", url="/a/",
    )  # fmt: skip
    assert name_keys(front_end.get().body) == name_keys(shown)


def test_every_action_is_told() -> None:
    assert re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE) == InboxAction.values
