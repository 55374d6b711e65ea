"""Who a viewer is, and what they own."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.signed_cookies import SessionStore

from channels_progress.viewers import NONCE_SESSION_KEY, Viewer, ensure_nonce, get_viewer


@pytest.mark.parametrize(
    ("viewer", "owner_keys"),
    [
        (Viewer(User(pk=5)), ("user:5",)),
        (Viewer(User(pk=5), "abc"), ("user:5", "session:abc")),
        (Viewer(AnonymousUser(), "abc"), ("session:abc",)),
        (Viewer(AnonymousUser()), ()),
        (Viewer(None, "abc"), ("session:abc",)),
        (Viewer(None), ()),
        (Viewer(User()), ()),
    ],
)
def test_viewer_owns_what_login_and_session_started(viewer: Viewer, owner_keys: tuple[str, ...]) -> None:
    assert viewer.owner_keys == owner_keys
    assert viewer.owner_key == (owner_keys[0] if owner_keys else "")


@pytest.mark.parametrize(
    ("user", "is_locked_out"),
    [(User(pk=5), False), (User(pk=5, is_active=False), True), (AnonymousUser(), False), (None, False)],
)
def test_only_an_inactive_login_is_locked_out(user: object, is_locked_out: bool) -> None:
    assert Viewer(user, "abc").is_locked_out is is_locked_out


def test_nonce_is_made_once_per_session() -> None:
    session = SessionStore()
    nonce = ensure_nonce(session)
    assert len(nonce) >= 22
    assert session.modified
    assert ensure_nonce(session) == nonce
    assert ensure_nonce(SessionStore()) != nonce


def test_kept_nonce_does_not_save_the_session_again() -> None:
    session = SessionStore()
    session[NONCE_SESSION_KEY] = "abc"
    session.modified = False
    assert ensure_nonce(session) == "abc"
    assert not session.modified


def test_viewer_is_read_from_the_session_without_writing_it() -> None:
    session = SessionStore()
    assert get_viewer(None, session) == Viewer(None, "")
    assert not session.modified
    assert get_viewer(None, session) == Viewer(None, "")
    nonce = ensure_nonce(session)
    assert get_viewer(None, session) == Viewer(None, nonce)
    assert get_viewer(None, None) == Viewer(None, "")


@pytest.mark.parametrize("odd", [None, 7, ["abc"], ""])
def test_odd_nonce_in_a_session_counts_as_none(odd: object) -> None:
    session = {NONCE_SESSION_KEY: odd}
    assert get_viewer(None, session) == Viewer(None, "")
    assert ensure_nonce(session) == session[NONCE_SESSION_KEY] != odd
