"""``SECRET_KEY`` is rotated with ``SECRET_KEY_FALLBACKS`` while pages are open."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.signing import Signer
from django.test import Client

from channels_progress.consumers import guarded, visitors
from channels_progress.tokens import has_valid_signature
from channels_progress.viewers import Viewer
from tests.consumers.doubles import UnrulyStore
from tests.consumers.hearing import ask
from tests.consumers.sockets import make_socket, make_token
from tests.waiting import await_until

pytestmark = pytest.mark.django_db(transaction=True)
SUBSCRIBED = {"type": "subscribed", "v": 1, "channel": "task:t"}
REFUSED = {"type": "refused", "v": 1}


class Visit:
    """A browser with a login, a task of its own, and the token of its page."""

    def __init__(self, store: UnrulyStore, name: str) -> None:
        user = User.objects.create_user("alice", password="secret")
        store.begin("t", delivery="d", owner=f"user:{user.pk}", body="{}")
        self.client = Client()
        self.client.force_login(user)
        self.cookie = f"{name}={self.client.cookies[name].value}"
        self.token = make_token("t", viewer=Viewer(user))

    def renew(self) -> Any:
        """What our client does where its token is refused or old."""
        return self.client.post("/tasks/token/", {"token": self.token}, headers={"Accept": "application/json"})


@pytest.fixture
async def visit(store: UnrulyStore, settings: Any) -> Visit:
    settings.SECRET_KEY = "former"
    return await sync_to_async(Visit)(store, settings.SESSION_COOKIE_NAME)


def rotate(settings: Any, *fallbacks: str) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "present", list(fallbacks)


async def test_open_pages_live_on(
    visit: Visit, store: UnrulyStore, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []

    async def reload_viewer(scope: dict[str, Any]) -> Viewer:
        checked.append(await visitors.reload_viewer(scope))
        return checked[-1]

    monkeypatch.setattr(guarded, "reload_viewer", reload_viewer)
    socket = make_socket(cookie=visit.cookie)
    assert await socket.connect() == (True, "channels-progress")
    assert await ask(socket, type="subscribe", token=visit.token) == SUBSCRIBED
    assert (await socket.receive_json_from())["type"] == "task"
    rotate(settings, "former")
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "RECHECK_S": 0.05}
    await await_until(lambda: len(checked) > 2)
    assert await ask(socket, type="subscribe", token=visit.token) == SUBSCRIBED
    assert (await socket.receive_json_from())["type"] == "task"
    store.finish("t", "SUCCESS")
    assert (await socket.receive_json_from())["state"]["state"] == "SUCCESS"
    await socket.disconnect()


async def test_renewed_tokens_outlive_the_former_key(visit: Visit, settings: Any) -> None:
    rotate(settings, "former")
    fresh = (await sync_to_async(visit.renew)()).json()["token"]
    settings.SECRET_KEY_FALLBACKS = []
    assert [has_valid_signature(token) for token in (fresh, visit.token)] == [True, False]
    # Django has given the session another key at that request: the page comes back with the cookie it has now.
    name = settings.SESSION_COOKIE_NAME
    socket = make_socket(cookie=f"{name}={visit.client.cookies[name].value}")
    assert await socket.connect() == (True, "channels-progress")
    assert await ask(socket, type="subscribe", token=fresh) == SUBSCRIBED
    await socket.disconnect()


async def test_pages_that_come_back_are_let_in_with_what_they_have(visit: Visit, settings: Any) -> None:
    rotate(settings, "former")
    socket = make_socket(cookie=visit.cookie, offers=("channels-progress", visit.token))
    assert await socket.connect() == (True, "channels-progress")
    assert await ask(socket, type="subscribe", token=visit.token) == SUBSCRIBED
    await socket.disconnect()


async def test_without_the_former_key_nothing_of_it_counts(visit: Visit, settings: Any) -> None:
    rotate(settings)
    socket = make_socket(cookie=visit.cookie, offers=("channels-progress", visit.token))
    assert await socket.connect() == (False, 4403)
    assert (await sync_to_async(visit.renew)()).status_code == 404


async def test_a_token_of_another_purpose_signed_with_the_same_key_is_none(visit: Visit, settings: Any) -> None:
    payload = Signer(sep="~", salt="channels_progress.subscription.channels_progress").unsign_object(visit.token)
    forged = [
        Signer(sep="~", salt=salt).sign_object(payload)
        for salt in ("", "django.core.signing", "channels_progress.subscription.", "channels_progress.subscription.b")
    ]
    assert [has_valid_signature(token) for token in [visit.token, *forged]] == [True, False, False, False, False]
