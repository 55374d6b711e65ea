"""Who looks at a page: the login and, for pages without one, a nonce kept in the anonymous session."""

from __future__ import annotations

import secrets
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.http import HttpRequest

#: Session key of the nonce. The session's own key would not do: it changes at login, and with signed cookies at
#: every save.
NONCE_SESSION_KEY = "channels_progress_nonce"
#: What the owner key, and the channel, of a user begins with.
USER_KEY_PREFIX = "user:"


class ReadableSession(Protocol):
    """What is needed of a session: Django's ``SessionBase``, or a plain dict in tests."""

    def get(self, key: str, default: Any = None, /) -> Any:
        """The value under ``key``."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who looks at a page.

    Attributes:
        user: A user, ``AnonymousUser``, or None.
        nonce: The nonce of their session, or an empty string.
    """

    user: Any
    nonce: str = field(default="", repr=False)

    @property
    def owner_keys(self) -> tuple[str, ...]:
        """Every value of ``TaskRecord.owner`` that means this viewer, the login first."""
        keys = []
        if self.is_authenticated and self.user.pk is not None:
            keys.append(f"{USER_KEY_PREFIX}{self.user.pk}")
        if self.nonce:
            keys.append(f"session:{self.nonce}")
        return tuple(keys)

    @property
    def owner_key(self) -> str:
        """The value of ``TaskRecord.owner`` for what this viewer starts; empty where nothing identifies them."""
        return next(iter(self.owner_keys), "")

    @property
    def is_locked_out(self) -> bool:
        """Whether this is the login of a user made inactive, who may see nothing however they still got here."""
        return self.is_authenticated and not getattr(self.user, "is_active", True)

    @property
    def is_authenticated(self) -> bool:
        """Whether somebody is logged in."""
        return bool(getattr(self.user, "is_authenticated", False))


def get_viewer(user: Any, session: ReadableSession | None) -> Viewer:
    """The viewer behind a request or a socket. Reads the session, never writes it."""
    nonce = session.get(NONCE_SESSION_KEY) if session is not None else None
    return Viewer(user, nonce if isinstance(nonce, str) else "")


def get_request_viewer(request: HttpRequest) -> Viewer:
    """Who sent this request; works without session or authentication middleware."""
    return get_viewer(getattr(request, "user", None), getattr(request, "session", None))


def identify_viewer(request: HttpRequest) -> Viewer:
    """Who sent this request; somebody without login is told apart by their session from now on, where there is one."""
    viewer = get_request_viewer(request)
    session = getattr(request, "session", None)
    if viewer.owner_key or session is None:
        return viewer
    return Viewer(viewer.user, ensure_nonce(session))


def ensure_nonce(session: MutableMapping[str, Any] | Any) -> str:
    """The nonce of this session, made and stored there if it has none yet."""
    nonce = session.get(NONCE_SESSION_KEY)
    if not (nonce and isinstance(nonce, str)):
        nonce = session[NONCE_SESSION_KEY] = secrets.token_urlsafe(16)
    return nonce
