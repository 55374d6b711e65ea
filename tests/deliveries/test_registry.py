"""Deliveries are found by name, and conditions likewise."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from channels_progress.notifications.conditions import UNREAD, find_condition, name_condition, register_condition
from channels_progress.notifications.deliveries import get_deliveries, get_delivery
from channels_progress.notifications.deliveries.console import ConsoleDelivery
from channels_progress.notifications.deliveries.email import EmailDelivery
from channels_progress.notifications.deliveries.websocket import WebsocketDelivery
from tests.deliveries.people import make_outgoing
from tests.deliveries.ways import Digest, Recorder

RECORDER = "tests.deliveries.ways.Recorder"


@register_condition("paid_for_tests")
def is_paid(notification: Any) -> bool:
    """A condition of a project."""
    return notification.text == "Paid"


class NoDelivery:
    """Something else."""


def test_built_in_ones_are_there() -> None:
    assert {name: type(delivery) for name, delivery in get_deliveries().items()} == {
        "console": ConsoleDelivery, "email": EmailDelivery, "websocket": WebsocketDelivery,
    }  # fmt: skip


def test_ones_own_are_there_with_options_and_name(change_settings: Callable[..., None]) -> None:
    ways = {"plain": RECORDER, "digest": {"class": "tests.deliveries.ways.Digest", "digest_s": 5}}
    change_settings(DELIVERIES={**ways, "email": {"digest_s": 7}})
    assert list(get_deliveries()) == ["console", "digest", "email", "plain", "websocket"]
    plain, digest = get_delivery("plain"), get_delivery("digest")
    assert (type(plain), plain.name, type(digest), digest.digest_s) == (Recorder, "plain", Digest, 5)
    assert (get_delivery("email").digest_s, get_delivery("email")) == (7, get_delivery("email"))


def test_changed_settings_count_at_once(change_settings: Callable[..., None]) -> None:
    change_settings(DELIVERIES={"email": {"digest_s": 7}})
    before = get_delivery("email")
    change_settings(DELIVERIES={})
    assert (before.digest_s, get_delivery("email").digest_s) == (7, 0)


@pytest.mark.parametrize(("name", "hint"), [("pigeon", ""), ("webhook", " It needs an entry in DELIVERIES.")])
def test_unknown_one_is_refused(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=rf"^deliveries has '{name}'; console, email, websocket are known\.{hint}$"):
        get_delivery(name)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({}, 'has no "class"'),
        (f"{__name__}.NoDelivery", "subclass of Delivery is expected"),
        ({"class": RECORDER, "colour": "red"}, "cannot be used: .*arguments"),
        ({"class": 5}, 'has no "class"'),
        ("nowhere.to.be.Found", "cannot be used: .*nowhere"),
        ({"class": "channels_progress.notifications.deliveries.email.EmailDelivery", "language": "no.where"}, "cannot"),
        (5, "dotted path or a dict"),
    ],
    ids=["nothing", "no delivery", "unknown option", "no path", "nowhere", "option nowhere", "neither"],
)
def test_entry_that_cannot_be_used_is_told(change_settings: Callable[..., None], entry: Any, said: str) -> None:
    change_settings(DELIVERIES={"mine": entry})
    with pytest.raises(ImproperlyConfigured, match=rf'^CHANNELS_PROGRESS\["DELIVERIES"\]\["mine"\].*{said}'):
        get_delivery("mine")
    assert get_delivery("email").name == "email"


def test_missing_extra_is_named(change_settings: Callable[..., None], monkeypatch: Any) -> None:
    monkeypatch.delitem(sys.modules, "channels_progress.notifications.deliveries.apprise", raising=False)
    monkeypatch.setitem(sys.modules, "apprise", None)
    change_settings(DELIVERIES={"apprise": {"urls": ["json://example.com"]}})
    with pytest.raises(ImproperlyConfigured, match=r"pip install 'channels-progress\[apprise\]'"):
        get_delivery("apprise")


@pytest.mark.parametrize("name", ["", "x" * 65, "Mail", "a b", "ä"])
def test_name_that_databases_compare_differently_is_refused(change_settings: Callable[..., None], name: str) -> None:
    change_settings(DELIVERIES={name: RECORDER})
    with pytest.raises(ImproperlyConfigured, match="a-z, 0-9"):
        get_delivery(name)


def test_condition_is_named_as_it_was_registered() -> None:
    assert [name_condition(given) for given in (None, UNREAD, "paid_for_tests", is_paid)] == [
        "", "unread", "paid_for_tests", "paid_for_tests",
    ]  # fmt: skip
    assert find_condition("paid_for_tests") is is_paid


def test_condition_may_be_a_path_or_what_a_path_leads_to() -> None:
    path = "tests.deliveries.ways.is_short"
    function = find_condition(path)
    assert (name_condition(path), name_condition(function)) == (path, path)


@pytest.mark.parametrize("given", ["bored", "", "no.such.path", "tests.deliveries.ways.sent", "x." * 200])
def test_condition_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"^condition is .*; one of .*unread.* is expected, or the dotted path"):
        name_condition(given)


def test_condition_that_no_worker_can_import_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cannot be imported by a worker: decorate it with register_condition\(\)"):
        name_condition(lambda notification: True)
    with pytest.raises(TypeError, match="condition is int"):
        name_condition(5)  # type: ignore[arg-type]


def test_name_of_a_condition_is_taken_once() -> None:
    with pytest.raises(ValueError, match=r"There is a condition 'unread' already: channels_progress\..*is_unread\."):
        register_condition(UNREAD)(is_paid)
    with pytest.raises(ValueError, match="without a period"):
        register_condition("a.b")


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        ({}, True),
        ({"read_at": datetime(2026, 1, 1, tzinfo=UTC)}, False),
        ({"status": "REMOVED"}, False),
        ({"status": "DELETED"}, False),
        ({"status": "INACTIVE"}, True),
    ],
    ids=str,
)
def test_unread_is_what_was_neither_read_nor_removed(values: Any, answer: bool) -> None:
    assert find_condition(UNREAD)(make_outgoing(**values)) is answer
