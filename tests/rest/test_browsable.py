"""REST framework's pages for developers show the API, forms included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, modify_settings

from channels_progress.models import InboxItem
from channels_progress.notifications import notify
from tests.rest.front_end import LIST

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(settings: Any) -> Iterator[Client]:
    """Alice's browser, on a site that shows these pages."""
    settings.ROOT_URLCONF = "tests.rest.urls"
    client = Client(headers={"Accept": "text/html"})
    with modify_settings(INSTALLED_APPS={"append": "rest_framework"}):
        user = User.objects.create_user("alice")
        client.force_login(user)
        notify(user, "Hello <b>Alice</b>")
        yield client


@pytest.mark.parametrize(
    ("path", "status"), [("", 200), ("?page=7", 404), ("/preferences", 200), ("/{uid}", 200), ("/x", 404)]
)
def test_every_page_is_shown(client: Client, path: str, status: int) -> None:
    page = client.get(LIST + path.format(uid=InboxItem.objects.get().uid))
    assert (page.status_code, page["Content-Type"]) == (status, "text/html; charset=utf-8")


def test_texts_are_shown_as_texts(client: Client) -> None:
    text = client.get(LIST).content.decode()
    assert ("Hello &lt;b&gt;Alice" in text, "Hello <b>" in text) == (True, False)


@pytest.mark.parametrize("path", ["", "/preferences", "/{uid}"])
def test_what_is_wrong_is_shown_there(client: Client, path: str) -> None:
    page = client.patch(LIST + path.format(uid=InboxItem.objects.get().uid), {}, content_type="application/json")
    assert (page.status_code, "This field is required." in page.content.decode()) == (400, True)
