"""Who is behind a socket."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import login
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.http import HttpRequest

from channels_progress.consumers import visitors
from channels_progress.consumers.visitors import load_viewer
from channels_progress.viewers import Viewer, ensure_nonce

pytestmark = pytest.mark.django_db(transaction=True)


def log_in(**options: Any) -> tuple[User, str]:
    """A user and the key of a session in which they are logged in, with a nonce."""
    user = User.objects.create_user("alice", password="x", **options)
    request = HttpRequest()
    request.session = SessionStore()
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    ensure_nonce(request.session)
    request.session["channels_progress_nonce"] = "n"
    request.session.save()
    return user, str(request.session.session_key)


def scope(key: str) -> dict[str, Any]:
    return {"headers": [(b"cookie", b"theme=dark"), (b"cookie", f"a=b; sessionid={key}".encode())]}


async def test_login_and_nonce_are_found() -> None:
    user, key = await sync_to_async(log_in)()
    assert await load_viewer(scope(key)) == Viewer(user, "n")


@pytest.mark.parametrize("key", ["", "unknown", "\x00", "é"])
async def test_without_a_session_it_is_nobody(key: str) -> None:
    viewer = await load_viewer(scope(key))
    assert viewer.owner_keys == ()


async def test_nothing_is_loaded_without_a_cookie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "_load", lambda key: 1 / 0)
    assert await load_viewer({"headers": []}) == Viewer(None)


async def test_inactive_user_is_nobody() -> None:
    _, key = await sync_to_async(log_in)(is_active=False)
    viewer = await load_viewer(scope(key))
    assert viewer == Viewer(AnonymousUser(), "n")


async def test_changed_password_ends_the_login_but_the_session_is_not_written() -> None:
    user, key = await sync_to_async(log_in)()
    user.set_password("other")
    await user.asave()
    assert await load_viewer(scope(key)) == Viewer(AnonymousUser(), "n")
    assert await Session.objects.filter(session_key=key).aexists()


async def test_session_signed_with_a_former_secret_is_good_and_keeps_its_key(settings: Any) -> None:
    user, key = await sync_to_async(log_in)()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new one"
    assert await load_viewer(scope(key)) == Viewer(user, "n")
    # A new key would have no response to travel with: the browser would be logged out.
    assert await Session.objects.filter(session_key=key).aexists()


async def test_user_that_a_middleware_found_is_taken_as_it_is() -> None:
    user = User(pk=7)
    viewer = await load_viewer({"user": user, "session": {"channels_progress_nonce": "m"}, **scope("unknown")})
    assert viewer == Viewer(user, "m")


async def test_site_without_logins_has_visitors(settings: Any) -> None:
    _, key = await sync_to_async(log_in)()
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "django.contrib.auth"]
    assert await load_viewer(scope(key)) == Viewer(None, "n")
