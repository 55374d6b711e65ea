"""What people want, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from channels_progress.notifications import notify
from channels_progress.rest import preferences
from tests.rest.front_end import Answer, FrontEnd, with_token

EVERYTHING = {"delivery": "", "kind": "", "is_enabled": True}
NO_ORDERS_BY_MAIL = {"delivery": "email", "kind": "orders", "is_enabled": False}


def test_everything_is_wanted_at_first(front_end: FrontEnd) -> None:
    assert front_end.get("/preferences") == Answer(200, [EVERYTHING])


def test_what_was_chosen_is_kept_and_changed(front_end: FrontEnd, site: str, bob: User) -> None:
    assert front_end.patch("/preferences", **NO_ORDERS_BY_MAIL) == Answer(200, NO_ORDERS_BY_MAIL)
    assert front_end.get("/preferences") == Answer(200, [EVERYTHING, NO_ORDERS_BY_MAIL])
    changed = {**NO_ORDERS_BY_MAIL, "is_enabled": True}
    assert front_end.patch("/preferences", **changed) == Answer(200, changed)
    assert front_end.get("/preferences") == Answer(200, [EVERYTHING, changed])
    assert with_token(site, bob).get("/preferences") == Answer(200, [EVERYTHING])


def test_who_wants_nothing_gets_nothing(front_end: FrontEnd, alice: User) -> None:
    assert front_end.patch("/preferences", is_enabled=False) == Answer(200, {**EVERYTHING, "is_enabled": False})
    notify(alice, "a")
    assert front_end.get().body["notifications"] == []


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ({}, ["is_enabled"]),
        ({"is_enabled": None}, ["is_enabled"]),
        ({"is_enabled": "perhaps"}, ["is_enabled"]),
        ({"is_enabled": False, "delivery": "pigeon"}, ["delivery"]),
        ({"is_enabled": False, "delivery": None}, ["delivery"]),
        ({"is_enabled": False, "kind": "Grün"}, ["kind"]),
        ({"is_enabled": False, "kind": "k" * 65}, ["kind"]),
        ({"is_enabled": False, "kind": ["orders"]}, ["kind"]),
    ],
)
def test_wrong_choice_is_refused(front_end: FrontEnd, asked: Any, fields: list[str]) -> None:
    answer = front_end.patch("/preferences", **asked)
    assert (answer.status, list(answer.body)) == (400, fields)
    assert front_end.get("/preferences") == Answer(200, [EVERYTHING])


def test_nobody_fills_the_table(front_end: FrontEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preferences, "MAX_PREFERENCES", 2)
    statuses = [front_end.patch("/preferences", kind=kind, is_enabled=False).status for kind in ("a", "b", "a")]
    assert statuses == [200, 400, 200]


def test_nobody_else_has_preferences(site: str) -> None:
    assert FrontEnd(site).get("/preferences").status == 401
