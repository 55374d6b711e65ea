"""The functions that broadcast: who gets what, what they answer, and what they refuse."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db import transaction
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy, override

import channels_progress
from channels_progress import broadcasts
from channels_progress.models import Notification
from channels_progress.testing.broadcasts import Sent, capture
from tests.web.markup import Page

ALICE, EDITORS = User(pk=1, username="alice"), Group(pk=7, name="editors")
TEMPLATE = "channels_progress/_reason.html"
TARGETS: dict[str, tuple[Any, ...]] = {"user": (ALICE,), "object": (EDITORS,), "channel": ("news",)}
CHANNELS = {
    "all": "audience:all",
    "authenticated": "audience:authenticated",
    "anonymous": "audience:anonymous",
    "user": "user:1",
    "object": "auth.group-7",
    "channel": "news",
}
SWITCHES = {
    "all": "ENABLE_ALL",
    "authenticated": "ENABLE_AUTHENTICATED",
    "anonymous": "ENABLE_ANONYMOUS",
    "user": "ENABLE_AUTHENTICATED",
    "object": "ENABLE_PAGE_CHANNELS",
    "channel": "ENABLE_PAGE_CHANNELS",
}
FAMILIES = {"send_to_": ("Hi",), "redirect_": ("/done/",), "progress_": (42,), "send_html_to_": (TEMPLATE,)}
CASES = [
    (name, family, audience)
    for family in FAMILIES
    for audience in CHANNELS
    if hasattr(broadcasts, name := family + audience)
]


@pytest.fixture(autouse=True)
def everything_on(settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": "memory", "ENABLE_ANONYMOUS": True}


def call(name: str, family: str, audience: str, **options: Any) -> bool | None:
    """Call the function of this name, or run it where it is one for async code."""
    answer = getattr(channels_progress, name)(*TARGETS.get(audience, ()), *FAMILIES[family], **options)
    return asyncio.run(answer) if inspect.iscoroutine(answer) else answer


def expect(family: str, audience: str, **others: Any) -> Sent:
    what = {"send_to_": {"text": "Hi"}, "redirect_": {"url": "/done/"}, "progress_": {"percent": 42}}
    return Sent(CHANNELS[audience], **what.get(family, {"html": "\n"}), **others)


def test_there_is_a_function_for_each_audience_but_none_that_redirects_everybody() -> None:
    assert len(CASES) == 18
    assert not hasattr(broadcasts, "redirect_all")
    names = {name for name, _, _ in CASES}
    assert set(broadcasts.__all__) == names | {f"a{name}" for name in names}


@pytest.mark.parametrize("prefix", ["", "a"])
@pytest.mark.parametrize(("name", "family", "audience"), CASES)
def test_each_reaches_its_audience(name: str, family: str, audience: str, prefix: str) -> None:
    with capture() as sent:
        assert call(prefix + name, family, audience) is True
    (one,) = sent
    assert (one.to, one.kind) == (CHANNELS[audience], expect(family, audience).kind)
    if one.kind != "html":
        assert one == expect(family, audience)


@pytest.mark.parametrize("prefix", ["", "a"])
@pytest.mark.parametrize(("name", "family", "audience"), CASES)
def test_each_does_nothing_where_its_switch_is_off(
    settings: Any, name: str, family: str, audience: str, prefix: str
) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, SWITCHES[audience]: False}
    with capture() as sent:
        assert call(prefix + name, family, audience) is None
    assert sent == []


@pytest.mark.parametrize(("name", "family", "audience"), CASES)
def test_each_says_that_the_layer_failed(name: str, family: str, audience: str) -> None:
    with capture(failing=True):
        assert call(name, family, audience) is False


@pytest.mark.parametrize("prefix", ["", "a"])
@pytest.mark.parametrize(("name", "family", "audience"), CASES)
def test_each_can_leave_one_page_out(name: str, family: str, audience: str, prefix: str) -> None:
    with capture() as sent:
        call(prefix + name, family, audience, exclude="page-1")
    assert [one.exclude for one in sent] == ["page-1"]


@pytest.mark.parametrize(("name", "family", "audience"), CASES)
def test_each_refuses_an_option_that_there_is_not(name: str, family: str, audience: str) -> None:
    with pytest.raises(TypeError, match="Unknown option lvl; there are "):
        call(name, family, audience, lvl="info")


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "family", "audience"), [case for case in CASES if case[1] != "send_html_to_"])
def test_each_can_be_stored(
    name: str, family: str, audience: str, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    with capture() as sent:
        with django_capture_on_commit_callbacks(execute=True):
            assert call(name, family, audience, persist=timedelta(hours=1)) is True
            assert sent == []
        assert sent == [expect(family, audience, stored=True)]
    row = Notification.objects.get()
    assert (row.channel, row.expires_at - row.created_at) == (CHANNELS[audience], timedelta(hours=1))


@pytest.mark.django_db
def test_nothing_is_stored_where_the_switch_is_off(settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": "memory", "ENABLE_ALL": False}
    assert channels_progress.send_to_all("Hi", persist=True) is None
    assert not Notification.objects.exists()


def send_and_fail() -> None:
    with transaction.atomic():
        channels_progress.send_to_all("rolled back", on_commit=True)
        channels_progress.send_to_all("rolled back", persist=True)
        raise ZeroDivisionError


@pytest.mark.django_db(transaction=True)
def test_what_waits_for_the_commit_is_sent_after_it_or_not_at_all() -> None:
    with capture() as sent:
        with transaction.atomic():
            assert channels_progress.send_to_all("committed", on_commit=True) is True
            assert sent == []
        with pytest.raises(ZeroDivisionError):
            send_and_fail()
    assert sent == [Sent("all", "committed")]
    assert not Notification.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_without_a_transaction_there_is_nothing_to_wait_for() -> None:
    with capture(failing=True):
        assert channels_progress.send_to_all("Hi", on_commit=True) is False
        assert channels_progress.send_to_all("Hi", persist=True) is False
    assert Notification.objects.count() == 1


def test_a_message_has_what_was_asked_for() -> None:
    options = {"level": 40, "click_url": "/a/", "close_url": "/b/", "hide_close_option": True}
    with capture() as sent:
        channels_progress.send_to_user(ALICE, "Hi", **options)
    assert sent == [Sent(ALICE, "Hi", **{**options, "level": "error"})]


def test_a_lazy_text_is_read_in_the_language_of_the_sender() -> None:
    with override("pl"), capture() as sent:
        channels_progress.send_to_all(gettext_lazy("Yes"))
    assert sent.texts == ["Tak"]


def test_a_template_escapes_what_it_is_given() -> None:
    with capture() as sent:
        channels_progress.send_html_to_user(ALICE, TEMPLATE, {"display": {"reason": "<script>"}})
    assert "&lt;script&gt;" in sent[0].html
    assert "<script>" not in sent[0].html


@pytest.mark.parametrize("text", ["<img src=x onerror=run()>", '"\' onfocus=run() autofocus="', "</progress><script>"])
def test_html_has_a_value_as_text_in_attributes_too(text: str) -> None:
    with capture() as sent:
        channels_progress.send_html_to_user(ALICE, "channels_progress/_bar.html", {"title": text})
    page = Page(sent[0].html)
    assert page.one("progress").attributes["aria-label"] == text
    assert [element.name for element in page.elements] == ["div", "progress", "span"]


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("send_to_user", (AnonymousUser(), "Hi"), TypeError),
        ("send_to_user", (User(username="new"), "Hi"), ValueError),
        ("send_to_object", ("auth.group-7", "Hi"), TypeError),
        ("send_to_channel", ("task:1", "Hi"), ValueError),
        ("send_to_channel", ("audience:all", "Hi"), ValueError),
        ("send_to_all", (7,), TypeError),
        ("redirect_user", (ALICE, "//evil.example"), ValueError),
        ("progress_user", (ALICE, "half"), ValueError),
    ],
)
def test_a_slip_is_raised_whatever_the_switches_say(
    settings: Any, name: str, arguments: tuple[Any, ...], error: type[Exception]
) -> None:
    settings.CHANNELS_PROGRESS = {**dict.fromkeys(SWITCHES.values(), False), "STORE": "memory"}
    with pytest.raises(error):
        getattr(channels_progress, name)(*arguments)


@pytest.mark.parametrize(("persist", "error"), [("yes", TypeError), (1, TypeError), (timedelta(0), ValueError)])
def test_what_is_no_time_to_keep_it_is_refused(persist: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="persist is"):
        channels_progress.send_to_all("Hi", persist=persist)


@pytest.mark.parametrize("exclude", ["", "a b", "x" * 65, "é"])
def test_what_is_no_page_id_is_refused(exclude: str) -> None:
    with pytest.raises(ValueError, match="exclude is"):
        channels_progress.send_to_all("Hi", exclude=exclude)


@pytest.mark.django_db(transaction=True)
def test_a_lazy_user_can_be_given_in_async_code() -> None:
    alice = User.objects.create(username="alice")
    lazy: Any = SimpleLazyObject(lambda: User.objects.get(username="alice"))
    with capture() as sent:
        assert asyncio.run(channels_progress.asend_to_user(lazy, "Hi")) is True
    assert sent == [Sent(alice, "Hi")]


@pytest.mark.django_db(transaction=True)
def test_async_code_can_store_and_wait_for_the_commit() -> None:
    with capture() as sent:
        assert asyncio.run(channels_progress.asend_to_all("Hi", persist=True)) is True
        assert asyncio.run(channels_progress.asend_to_all("Ho", on_commit=True)) is True
    assert sent == [Sent("all", "Hi", stored=True), Sent("all", "Ho")]


def test_an_async_twin_says_what_it_is() -> None:
    assert channels_progress.asend_to_all.__name__ == "asend_to_all"
    assert inspect.iscoroutinefunction(channels_progress.asend_to_all)
    assert inspect.signature(channels_progress.asend_to_all).parameters.keys() == {"text", "options"}
