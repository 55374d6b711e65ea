"""``capture``: what projects can say in their tests of what they broadcast."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.messages import constants
from django.db import transaction
from django.test import TestCase
from django.utils.functional import SimpleLazyObject
from pytest_django.fixtures import Settings

from channels_progress.broadcasts import (
    asend_to_all,
    asend_to_channel,
    progress_channel,
    redirect_user,
    send_html_to_channel,
    send_to_all,
    send_to_anonymous,
    send_to_authenticated,
    send_to_channel,
    send_to_object,
    send_to_user,
)
from channels_progress.models import Notification
from channels_progress.send import get_sender
from channels_progress.testing.broadcasts import Sent, capture

ALICE = User(pk=7, username="alice")
EDITORS = Group(pk=3, name="editors")


def test_what_was_sent_is_a_list_in_order() -> None:
    with capture() as sent:
        assert send_to_user(ALICE, "Hi", level=constants.SUCCESS, click_url="/a/", close_url="/b/") is True
        send_to_object(EDITORS, "New", hide_close_option=True, exclude="page1")
        redirect_user(ALICE, "/done/")
        progress_channel("import-1", 0.1 + 0.2)
        send_to_authenticated("In")
    assert sent == [
        Sent(ALICE, "Hi", level="success", click_url="/a/", close_url="/b/"),
        Sent(EDITORS, "New", hide_close_option=True, exclude="page1"),
        Sent(ALICE, url="/done/"),
        Sent("import-1", percent=0.3),
        Sent("authenticated", "In"),
    ]
    assert [one.kind for one in sent] == ["message", "message", "redirect", "progress", "message"]
    assert (sent.to(ALICE), sent.to("all"), sent.texts) == ([sent[0], sent[2]], [], ["Hi", "New", "In"])


def test_rendered_html_is_there(settings: Settings) -> None:
    template = {"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {
        "loaders": [("django.template.loaders.locmem.Loader", {"row.html": "<p>{{ text }}</p>"})]}}  # fmt: skip
    settings.TEMPLATES = [template]
    with capture() as sent:
        send_html_to_channel("rows", "row.html", {"text": "a < b"})
    assert sent == [Sent("rows", html="<p>a &lt; b</p>")]
    assert sent[0].kind == "html"


def test_a_failing_assertion_shows_what_matters() -> None:
    assert repr(Sent(ALICE, "Hi", level="error")) == "Sent('user:7', text='Hi', level='error')"
    assert repr(Sent("all", percent=42)) == "Sent('audience:all', percent='42%')"


@pytest.mark.parametrize(
    ("to", "channel"),
    [
        (ALICE, "user:7"),
        (SimpleLazyObject(lambda: ALICE), "user:7"),
        (EDITORS, "auth.group-3"),
        ("anonymous", "audience:anonymous"),
        ("user:7", "user:7"),
        ("import-1", "import-1"),
    ],
)
def test_whom_is_given_as_to_the_functions(to: Any, channel: str) -> None:
    assert Sent(to).to == channel


def test_slips_in_a_test_are_told() -> None:
    with pytest.raises(ValueError, match="level is 'loud'"):
        Sent("all", "Hi", level="loud")
    with pytest.raises(TypeError, match="somebody who can log in"):
        Sent(None, "Hi")
    with pytest.raises(ValueError, match="not saved yet"):
        Sent(User(username="new"), "Hi")


def test_what_is_switched_off_or_refused_is_not_sent(settings: Settings) -> None:
    settings.CHANNELS_PROGRESS = {"ENABLE_ALL": False, "ENABLE_ANONYMOUS": True}
    with capture() as sent:
        assert (send_to_all("off"), send_to_anonymous("on")) == (None, True)
        with pytest.raises(ValueError, match="url is"):
            redirect_user(ALICE, "//evil.example/")
    assert sent == [Sent("anonymous", "on")]


def test_a_failing_layer_can_be_had() -> None:
    with capture(failing=True) as sent:
        assert send_to_all("lost") is False
    assert sent == []


async def test_async_code_and_threads_are_captured() -> None:
    with capture() as sent:
        assert await asend_to_all("one") is True
        await asyncio.to_thread(send_to_channel, "x", "two")
        thread = threading.Thread(target=send_to_all, args=("three",))
        thread.start()
        thread.join()
        await asyncio.gather(*(asend_to_channel("x", f"more {number}") for number in range(20)))
    assert sent.texts[:3] == ["one", "two", "three"]
    assert sorted(sent.texts[3:]) == sorted(f"more {number}" for number in range(20))


def test_the_innermost_capture_gets_it_and_nothing_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    delivered: list[Any] = []
    monkeypatch.setattr(type(get_sender()), "deliver", lambda sender, *parcel: delivered.append(parcel) or True)
    with capture() as outer:
        send_to_all("outer")
        with capture() as inner:
            send_to_all("inner")
        send_to_all("outer again")
    assert (outer.texts, inner.texts, delivered) == (["outer", "outer again"], ["inner"], [])
    send_to_all("out")
    assert len(delivered) == 1


def test_an_error_ends_the_capture() -> None:
    with pytest.raises(KeyError), capture() as sent:
        raise KeyError
    send_to_all("later")
    assert sent == []


@capture()
def test_it_is_a_decorator_too() -> None:
    assert send_to_all("Hi") is True


@pytest.mark.django_db
def test_on_commit_comes_with_the_commit(django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True), capture() as sent:
        assert send_to_all("later", on_commit=True) is True
        assert sent == []
    # After the ``with``: the commit is what it was waiting for.
    assert sent == [Sent("all", "later")]


class CaptureInTestCase(TestCase):
    def test_a_rollback_sends_nothing_and_persist_stores(self) -> None:
        with capture() as sent, self.captureOnCommitCallbacks(execute=True):
            send_to_user(ALICE, "Kept", persist=True)
            with transaction.atomic():
                send_to_all("never", on_commit=True)
                transaction.set_rollback(True)
        assert sent == [Sent(ALICE, "Kept", stored=True)]
        assert [row.values["text"] for row in Notification.objects.unacknowledged(ALICE)] == ["Kept"]


def test_it_needs_no_celery() -> None:
    code = (
        "import sys; sys.modules['celery'] = None; import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings';"
        "import django; django.setup(); from channels_progress.testing.broadcasts import Sent, capture;"
        "from channels_progress import send_to_all\n"
        "with capture() as sent: send_to_all('Hi')\n"
        "assert sent == [Sent('all', 'Hi')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
