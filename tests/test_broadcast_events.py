"""What is broadcast, cleaned."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.messages import constants

from channels_progress.broadcast_events import event_text, html_event, message_event, progress_event, redirect_event

WRONG_URLS = (
    "javascript:alert(1)", "//evil.example/", "https://evil.example/", "data:text/html,x", "/\\evil.example", "/a\nb",
    "https://ok@evil.example/", "", "cities/",
)  # fmt: skip


def test_a_message_has_the_fields_of_the_published_wire_format() -> None:
    event = message_event("Hi", level=constants.WARNING, click_url="/a/", close_url="/b/", hide_close_option=True)
    assert json.loads(event_text(event, "user:1", 7)) == {
        "type": "message",
        "v": 1,
        "text": "Hi",
        "cssClass": "warning",
        "clickURL": "/a/",
        "closeURL": "/b/",
        "hideCloseOption": True,
        "closeText": "×",
        "channel": "user:1",
        "id": 7,
    }


def test_an_event_that_is_not_stored_has_no_id() -> None:
    assert json.loads(event_text(redirect_event("/a/"), "x")) == {
        "type": "redirect",
        "v": 1,
        "url": "/a/",
        "channel": "x",
    }


@pytest.mark.parametrize("level", ["loud", 99, None, True])
def test_an_unknown_level_is_refused(level: Any) -> None:
    with pytest.raises(ValueError, match="one of debug, info, success, warning, error"):
        message_event("Hi", level=level)


@pytest.mark.parametrize("url", WRONG_URLS)
def test_a_url_that_leads_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="a path of this site"):
        redirect_event(url)
    with pytest.raises(ValueError, match="click_url"):
        message_event("Hi", click_url=url)
    with pytest.raises(ValueError, match="close_url"):
        message_event("Hi", close_url=url)


def test_a_url_of_an_allowed_host_is_not(settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"ALLOWED_REDIRECT_HOSTS": ["ok.example"]}
    assert redirect_event("https://ok.example/a/")["url"] == "https://ok.example/a/"


@pytest.mark.parametrize(
    ("percent", "shown"),
    [
        (42, "42%"),
        ("42", "42%"),
        (" 42 % ", "42%"),
        (42.5, "42.5%"),
        (Decimal("0.1"), "0.1%"),
        (0.1 + 0.2, "0.3%"),
        (0.29 * 100, "29%"),
        (99.999, "99.99%"),
        (100 / 3, "33.33%"),
        (100, "100%"),
        (-3, "0%"),
        (1e9, "100%"),
        (10**400, "100%"),
        (-(10**400), "0%"),
        ("inf", "100%"),
    ],
)
def test_a_percentage_is_clamped_and_tidy(percent: Any, shown: str) -> None:
    assert progress_event(percent) == {"type": "progress", "progress": True, "percent": shown}


@pytest.mark.parametrize("percent", ["", "half", "4 2", float("nan"), "nan%"])
def test_what_is_no_percentage_is_refused(percent: Any) -> None:
    with pytest.raises(ValueError, match="a number such as 42"):
        progress_event(percent)


@pytest.mark.parametrize("percent", [None, [42], object()])
def test_what_is_no_number_is_refused(percent: Any) -> None:
    with pytest.raises(TypeError, match="percent is"):
        progress_event(percent)


def test_html_is_bounded_and_can_be_encoded() -> None:
    assert html_event("<p>a\ud800</p>") == {"type": "html", "html": "<p>a\ufffd</p>"}
    with pytest.raises(ValueError, match="100001 characters"):
        html_event("a" * 100_001)
