"""Who is behind a socket, read from its cookies without ever writing their session."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any, cast

from channels.db import database_sync_to_async
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie

from channels_progress.consumers.logins import LOGIN_KEY
from channels_progress.viewers import Viewer, get_viewer


def get_session_key(scope: dict[str, Any]) -> str:
    """The value of the session cookie, or an empty string."""
    cookies = [value for name, value in scope.get("headers", ()) if name == b"cookie"]
    return parse_cookie("; ".join(value.decode("latin-1") for value in cookies)).get(settings.SESSION_COOKIE_NAME, "")


async def load_viewer(scope: dict[str, Any]) -> Viewer:
    """The viewer behind a socket: of ``scope["user"]`` where a middleware has put one, else of the session cookie.

    Without a cookie nothing is loaded.
    """
    viewer = Viewer(None)
    if LOGIN_KEY in scope:
        # Whatever the cookies say: they are those of the browser, and may be somebody else's.
        viewer = Viewer(scope["user"])
    elif "user" in scope:
        viewer = await database_sync_to_async(get_viewer)(scope["user"], scope.get("session"))
    elif session_key := get_session_key(scope):
        viewer = await database_sync_to_async(_load)(session_key)
    return viewer


async def reload_viewer(scope: dict[str, Any]) -> Viewer:
    """The viewer behind a socket as things are now, whatever was loaded for it before."""
    session_key = getattr(scope.get("session"), "session_key", None) or get_session_key(scope)
    user, viewer = scope.get("user"), Viewer(None)
    if login := scope.get(LOGIN_KEY):
        viewer = Viewer(await database_sync_to_async(login.reload)())
    elif session_key:
        viewer = await database_sync_to_async(_load)(session_key)
    elif user is not None:
        viewer = await database_sync_to_async(_reload)(user)
    return viewer


def _reload(user: Any) -> Viewer:
    """Of a user whom a project's own middleware has found, by whatever means."""
    manager = getattr(type(user), "_base_manager", None)
    return Viewer(user if manager is None else manager.filter(pk=user.pk).first())


def _load(session_key: str) -> Viewer:
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return get_viewer(_load_user(session), session)


def _load_user(session: Any) -> Any:
    if not apps.is_installed("django.contrib.auth"):
        return None
    request = SimpleNamespace(session=_ReadOnlySession(session))
    return get_user(cast("HttpRequest", request))


class _ReadOnlySession:
    """What ``django.contrib.auth.get_user`` needs of a session, without its wish to write.

    It flushes a session whose hash is wrong and cycles the key of one signed with a fallback secret: with no
    response to carry the new cookie, that would log the user out.
    """

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getitem__(self, key: str) -> Any:
        return self._session[key]

    def __setitem__(self, key: str, value: Any) -> None:
        pass

    def get(self, key: str, default: Any = None) -> Any:
        return self._session.get(key, default)

    def flush(self) -> None:
        pass

    def cycle_key(self) -> None:
        pass
