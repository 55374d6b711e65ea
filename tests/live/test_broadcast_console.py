"""The example site's broadcast console over plain HTTP: who may use it, and what it answers."""

from __future__ import annotations

import re

import pytest

from example_project.broadcasts.answers import describe_answer
from example_project.site_client import Page, SiteClient
from example_project.stack import Stack

SENT = "Sent: the channel layer has taken it, for every open page that should show it."
NOT_OURS = "a path of this site such as &#x27;/done/&#x27; is expected"


def send(client: SiteClient, **fields: str) -> Page:
    """Send the console's form as it stands there, but for these fields."""
    return client.submit(client.get("/broadcasts/"), "console-form", **fields)


def read_answers(page: Page) -> list[str]:
    return re.findall(r'class="answer"[^>]*>(.*?)</p>', page.text)


def read_errors(page: Page) -> dict[str, str]:
    return dict(re.findall(r'<ul class="errorlist" id="id_(\w+)_error"><li>(.*?)</li>', page.text))


@pytest.mark.parametrize("audience", ["all", "authenticated", "anonymous", "user", "object", "channel"])
def test_console_sends_to_every_audience(client: SiteClient, audience: str) -> None:
    assert read_answers(send(client, audience=audience)) == [SENT]


@pytest.mark.parametrize("kind", ["message", "redirect", "progress", "html"])
def test_console_sends_every_kind(client: SiteClient, kind: str) -> None:
    assert read_answers(send(client, audience="channel", channel="nobody", kind=kind)) == [SENT]


@pytest.mark.parametrize(
    ("fields", "field", "error"),
    [
        ({"audience": "everyone"}, "audience", "everyone is not one of the available choices"),
        ({"audience": "user", "username": "eve"}, "username", "Select a valid choice"),
        ({"audience": "object", "city": "7"}, "city", "Select a valid choice"),
        ({"audience": "object", "city": ""}, "city", "This field is required"),
        ({"audience": "channel", "channel": "task:7"}, "channel", "Enter a valid"),
        ({"audience": "channel", "channel": ""}, "channel", "This field is required"),
        ({"kind": "redirect"}, "kind", "Not to a whole audience"),
        ({"audience": "user", "kind": "redirect", "url": "//evil.test"}, "url", NOT_OURS),
        ({"audience": "user", "kind": "progress", "percent": "soon"}, "percent", "a number such as 42"),
        ({"text": ""}, "text", "This field is required"),
        ({"click_url": "javascript:alert(1)"}, "click_url", NOT_OURS),
    ],
)
def test_what_cannot_be_sent_is_an_error_of_its_field(
    client: SiteClient, fields: dict[str, str], field: str, error: str
) -> None:
    page = send(client, **fields)
    assert read_answers(page) == []
    assert list(read_errors(page)) == [field]
    assert error in read_errors(page)[field]


def test_what_the_choice_does_not_need_is_not_looked_at(client: SiteClient) -> None:
    fields = {"username": "eve", "city": "", "channel": "a b", "url": "//evil.test", "percent": "soon", "level": ""}
    page = send(client, kind="html", **fields)
    assert read_answers(page) == [SENT]


def test_console_remembers_what_was_sent_and_a_link_chooses_anew(client: SiteClient) -> None:
    send(client, audience="channel", channel="nobody", kind="progress", percent="7", persist="on")
    remembered = client.get("/broadcasts/").forms["console-form"].data
    assert (remembered["audience"], remembered["channel"], remembered["percent"]) == ("channel", "nobody", "7")
    assert remembered["persist"] == "on"
    chosen = client.get("/broadcasts/?audience=channel&channel=mine").forms["console-form"].data
    assert (chosen["audience"], chosen["channel"], chosen["kind"]) == ("channel", "mine", "progress")


def test_visitor_without_login_may_look_but_not_send(stack: Stack) -> None:
    visitor = SiteClient(stack.url)
    assert "Log in to send" in visitor.get("/broadcasts/").text
    assert send(visitor).url == f"{stack.url}/accounts/login/?next=/broadcasts/"


def test_each_city_has_a_page_from_which_the_console_chooses_it(client: SiteClient) -> None:
    [path, *_] = re.findall(r'<th scope="row"><a href="(/cities/\d+/)">', client.get("/cities/").text)
    [link] = re.findall(r'href="(/broadcasts/\?[^"]+)"', client.get(path).text)
    data = client.get(link.replace("&amp;", "&")).forms["console-form"].data
    assert (data["audience"], f"/cities/{data['city']}/") == ("object", path)


@pytest.mark.parametrize(
    ("answer", "is_stored", "text"),
    [
        (True, True, f"{SENT} It is stored, too, for those who are away."),
        (None, True, "Nothing was sent: the setting ENABLE_ALL has turned this audience off."),
        (False, False, "Not sent: the channel layer did not take it. The site's log says why."),
    ],
)
def test_each_answer_has_words_of_its_own(answer: bool | None, is_stored: bool, text: str) -> None:
    assert describe_answer(answer, switch="ENABLE_ALL", is_stored=is_stored) == text
