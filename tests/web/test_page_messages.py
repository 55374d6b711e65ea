"""What ``{% page_messages %}`` and ``messages_context`` put into a page."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.template import engines
from django.test import RequestFactory, override_settings
from django.urls import set_script_prefix

from channels_progress.conf import SETTING
from channels_progress.page_messages import messages_context, read_channels

urlpatterns: list[Any] = []


@pytest.fixture
def request_of_ada() -> HttpRequest:
    request = RequestFactory().get("/page/")
    request.user = User(pk=7, username="ada")
    return request


@pytest.fixture
def request_of_nobody() -> HttpRequest:
    request = RequestFactory().get("/page/")
    request.user = AnonymousUser()
    return request


def render(request: HttpRequest, source: str = "{% page_messages %}", **context: Any) -> str:
    return engines["django"].from_string("{% load channels_progress %}" + source).render(context, request)


def find_element(html: str) -> str:
    return re.search(r"<page-messages[^>]*>", html)[0]  # type: ignore[index]


def test_who_is_logged_in_hears_their_audiences(request_of_ada: HttpRequest) -> None:
    context = messages_context(request_of_ada)
    token = context.pop("csrf_token")
    assert token
    assert context == {
        "audiences": True,
        "channels": [],
        "channels_json": "[]",
        "token": "",
        "token_url": "",
        "anonymous": False,
        "socket_url": "/asgi/notifications/",
        "redirect_hosts": [],
        "position": "top-end",
        "duration_s": 8,
        "duration_text": "8",
        "mark_requests": True,
    }
    json.dumps(context)


def test_who_is_not_opens_no_socket_that_would_be_closed(request_of_nobody: HttpRequest) -> None:
    context = messages_context(request_of_nobody, channels=["room"])
    heard = {key: context[key] for key in ("audiences", "channels", "socket_url", "csrf_token", "anonymous")}
    assert heard == {"audiences": False, "channels": [], "socket_url": "", "csrf_token": "", "anonymous": True}


def test_a_token_lets_anybody_in(request_of_nobody: HttpRequest) -> None:
    context = messages_context(request_of_nobody, token="t")
    assert (context["socket_url"], context["token"], context["audiences"]) == ("/asgi/notifications/", "t", True)


@pytest.mark.parametrize(
    ("switches", "is_heard"),
    [
        ({"ENABLE_ANONYMOUS": True}, True),
        ({"ENABLE_ANONYMOUS": True, "ENABLE_ALL": False}, True),
        ({"ENABLE_ALL": True}, False),
    ],
)
def test_the_switches_decide_what_nobody_hears(
    request_of_nobody: HttpRequest, switches: dict[str, bool], is_heard: bool
) -> None:
    with override_settings(**{SETTING: switches}):
        assert messages_context(request_of_nobody)["audiences"] is is_heard


@pytest.mark.parametrize(
    ("switches", "is_heard"),
    [
        ({"ENABLE_ALL": False}, True),
        ({"ENABLE_AUTHENTICATED": False}, True),
        ({"ENABLE_ALL": False, "ENABLE_AUTHENTICATED": False}, False),
    ],
)
def test_the_switches_decide_what_somebody_hears(
    request_of_ada: HttpRequest, switches: dict[str, bool], is_heard: bool
) -> None:
    with override_settings(**{SETTING: switches}):
        assert messages_context(request_of_ada)["audiences"] is is_heard


def test_named_channels_can_be_switched_off(request_of_ada: HttpRequest) -> None:
    with override_settings(**{SETTING: {"ENABLE_PAGE_CHANNELS": False}}):
        assert messages_context(request_of_ada, channels=["room"])["channels"] == []


@pytest.mark.parametrize("nothing", [None, "", " ", "[]", '""', "null", [], (), [""]])
def test_nothing_is_no_channel_in_any_form(nothing: Any) -> None:
    assert read_channels(nothing) == []


def test_channels_are_a_list_or_its_text_each_once() -> None:
    assert read_channels(["a", "b", "a"]) == read_channels('["a", "b"]') == read_channels(iter("ab")) == ["a", "b"]


@pytest.mark.parametrize("value", ["room", "{}", '{"a": 1}', [1], '["a", 1]', 42])
def test_what_is_no_channel_is_told(value: Any) -> None:
    with pytest.raises(TypeError, match="a list of names is expected"):
        read_channels(value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"position": "left"}, "position is 'left'; one of top-start, "),
        ({"duration_s": -1}, "duration_s is -1; 0 or more"),
    ],
)
def test_a_bad_option_is_told(request_of_ada: HttpRequest, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        messages_context(request_of_ada, **options)


def test_the_tag_writes_what_is_needed_and_escapes_it(request_of_ada: HttpRequest) -> None:
    html = render(
        request_of_ada,
        "{% page_messages position='bottom' duration_s=2.5 mark_requests=False %}",
        extraChannels=['"<x>'],
    )
    assert find_element(html) == (
        '<page-messages class="page-messages" position="bottom" duration-s="2.5" socket="/asgi/notifications/"'
        ' audiences channels="[&quot;\\&quot;&lt;x&gt;&quot;]" mark-requests="off">'
    )


def test_the_tag_hears_what_the_view_has_put_into_the_context(request_of_ada: HttpRequest) -> None:
    html = render(
        request_of_ada, "{% page_messages channels='[\"b\"]' %}", extraChannels=["a", "b"], subscription_token="t"
    )
    assert 'channels="[&quot;a&quot;,&quot;b&quot;]" token="t" token-url="/tasks/token/"' in find_element(html)


def test_a_token_of_the_tag_goes_before_that_of_the_view(request_of_ada: HttpRequest) -> None:
    html = render(request_of_ada, "{% page_messages token='mine' %}", subscription_token="t")
    assert 'token="mine"' in find_element(html)


def test_who_hears_nothing_still_has_the_element_for_messages_of_the_page(request_of_nobody: HttpRequest) -> None:
    element = find_element(render(request_of_nobody))
    assert element == '<page-messages class="page-messages" position="top-end" duration-s="8" anonymous>'


def test_the_assets_come_once(request_of_ada: HttpRequest) -> None:
    html = render(request_of_ada, "{% channels_progress_assets %}{% page_messages %}{% my_tasks %}")
    assert html.count("channels_progress.js") == 1


@override_settings(ROOT_URLCONF=__name__)
def test_a_site_without_our_urls_can_have_messages(request_of_ada: HttpRequest) -> None:
    assert messages_context(request_of_ada, token="t")["token_url"] == ""


def test_below_a_prefix_the_socket_is_below_it(request_of_ada: HttpRequest) -> None:
    set_script_prefix("/site/")
    try:
        assert messages_context(request_of_ada)["socket_url"] == "/site/asgi/notifications/"
    finally:
        set_script_prefix("/")
