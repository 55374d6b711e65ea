"""Subscription tokens: who may watch which channels, signed, so that a socket needs no look-up to know it.

A token is ``<payload>~<signature>``: base64url parts from ``django.core.signing``, so every character may stand in
a ``Sec-WebSocket-Protocol`` header (RFC 6455, 4.1: an RFC 7230 token, which has no ``:``).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.core.signing import BadSignature, Signer
from django.http import HttpRequest

from channels_progress.conf import get_namespace, get_settings
from channels_progress.events import encode_json
from channels_progress.exceptions import TokenRefused
from channels_progress.viewers import Viewer, identify_viewer

__all__ = [
    "RIGHTS",
    "Grant",
    "has_valid_signature",
    "issue_subscription_token",
    "read_expired_token",
    "verify_subscription_token",
]

#: What a token can allow besides watching.
RIGHTS = frozenset({"cancel"})

_SEPARATOR = "~"
_SALT_PREFIX = "channels_progress.subscription."
# The first item of a payload; a token of another layout is refused.
_LAYOUT = 2
# The longest (epoch, offset) that a page can put beside a token; see _subscribe_frame_bytes.
_LONGEST_SINCE = ("f" * 32, 2**53)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows.

    Attributes:
        channels: The channels, in the order given at issue.
        rights: A subset of ``RIGHTS``.
        ttl: Seconds, where the token was issued with a lifetime of its own.
        is_asked: Whether the viewer must be allowed by themselves as well, whenever it is used: the authorizer, whose
            yes is behind it, may have changed its mind.
        expires_at: UTC seconds.
    """

    channels: tuple[str, ...]
    rights: frozenset[str]
    ttl: float | None = None
    is_asked: bool = False
    expires_at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class _Payload:
    owner: str
    grant: Grant

    def is_expired(self) -> bool:
        return time.time() > self.grant.expires_at


def issue_subscription_token(
    viewer: Viewer | HttpRequest | Any,
    channels: Iterable[str],
    *,
    rights: Iterable[str] = (),
    ttl: float | None = None,
    is_asked: bool = False,
) -> str:
    """A token with which this viewer, and nobody else, can subscribe to ``channels``.

    Whoever calls this has decided that they may: nothing is looked up here.

    Args:
        viewer: A request, whose user or, without login, whose session is meant; a user, who must be logged in when
            using it; or a ``Viewer``.
        channels: Channel names: of a task (``events.task_channel(uid)``), of an object
            (``convert_obj_to_channel_name(obj)``), or any of your own.
        rights: ``"cancel"``, or nothing.
        ttl: Seconds for which it counts; None follows ``TOKEN_MAX_AGE_S``.
        is_asked: The viewer has to be allowed by themselves as well, as the owner or by ``SUBSCRIPTION_AUTHORIZER``,
            whenever the token is used and while it is. Without it the token is the permission, until it expires.

    Raises:
        TypeError: ``channels`` or ``rights`` is a single string, or holds something else than strings.
        ValueError: There is no channel; nothing identifies the viewer; an unknown right; ``ttl`` is not positive;
            the page could not send the token in one frame of ``MAX_FRAME_BYTES``.
    """
    viewer = _find_viewer(viewer)
    names = _clean_names(channels, "channels")
    granted = _clean_names(rights, "rights")
    _check_issue(viewer, names, granted, ttl)
    payload = [_LAYOUT, viewer.owner_key, int(time.time()), names, granted, ttl, int(is_asked)]
    token: str = _signer().sign_object(payload, compress=True)
    _check_size(token, names)
    return token


def verify_subscription_token(token: str, viewer: Viewer | HttpRequest | Any) -> Grant:
    """What this token allows this viewer, who is given as at its issue.

    Raises:
        TokenRefused: It is malformed, tampered, expired, of another viewer or namespace, or the user is inactive:
            always the same error.
    """
    payload = _read(token)
    viewer = _find_viewer(viewer)
    if payload.is_expired() or not _belongs_to(payload, viewer):
        raise _refused()
    return payload.grant


def read_expired_token(token: str, viewer: Viewer) -> Grant:
    """As ``verify_subscription_token``, whatever the token's age: what a fresh one may allow at most."""
    payload = _read(token)
    if not _belongs_to(payload, viewer):
        raise _refused()
    return payload.grant


def has_valid_signature(token: str) -> bool:
    """Whether this is a token of ours, not yet expired, of whatever viewer."""
    try:
        return not _read(token).is_expired()
    except TokenRefused:
        return False


def _find_viewer(viewer: Viewer | HttpRequest | Any) -> Viewer:
    if isinstance(viewer, Viewer):
        return viewer
    return identify_viewer(viewer) if isinstance(viewer, HttpRequest) else Viewer(viewer)


def _signer() -> Signer:
    return Signer(sep=_SEPARATOR, salt=_SALT_PREFIX + get_namespace())


def _read(token: str) -> _Payload:
    if not isinstance(token, str) or len(token) > get_settings().MAX_FRAME_BYTES:
        raise _refused()
    try:
        layout, owner, issued_at, channels, rights, ttl, is_asked = _signer().unsign_object(token)
    except (BadSignature, ValueError, TypeError):
        # ValueError: a lone surrogate cannot be hashed. Both: well signed, by another release with another layout.
        raise _refused() from None
    if layout != _LAYOUT:
        raise _refused()
    expires_at = issued_at + (get_settings().TOKEN_MAX_AGE_S if ttl is None else ttl)
    return _Payload(owner, Grant(tuple(channels), frozenset(rights), ttl, bool(is_asked), expires_at))


def _refused() -> TokenRefused:
    return TokenRefused("This subscription token is not valid.")


def _belongs_to(payload: _Payload, viewer: Viewer) -> bool:
    return payload.owner in viewer.owner_keys and not viewer.is_locked_out


def _clean_names(names: Iterable[str], argument: str) -> list[str]:
    if isinstance(names, str | bytes):
        raise TypeError(f"{argument} is {names!r}; a list or tuple of strings is expected.")
    unique = list(dict.fromkeys(names))
    for name in unique:
        if not isinstance(name, str):
            raise TypeError(f"{argument} holds {type(name).__name__} {name!r}; strings are expected.")
    return unique


def _check_issue(viewer: Viewer, channels: list[str], rights: list[str], ttl: float | None) -> None:
    if not channels:
        raise ValueError("channels is empty; a token needs at least one.")
    if unknown := sorted(set(rights) - RIGHTS):
        raise ValueError(f"rights holds {unknown!r}; allowed are {sorted(RIGHTS)!r}.")
    if ttl is not None and not ttl > 0:
        raise ValueError(f"ttl is {ttl!r}; a positive number of seconds is expected.")
    if not viewer.owner_key:
        raise ValueError(
            f"Nothing identifies {viewer.user!r}: not logged in, and no nonce. For an anonymous page pass the "
            "request; the site needs sessions for that."
        )


def _check_size(token: str, channels: list[str]) -> None:
    size, limit = _subscribe_frame_bytes(token, channels), get_settings().MAX_FRAME_BYTES
    if size > limit:
        raise ValueError(
            f"A token for {len(channels)} channels needs frames of {size} bytes; MAX_FRAME_BYTES is {limit}. "
            "Issue several tokens with fewer channels each."
        )


def _subscribe_frame_bytes(token: str, channels: list[str]) -> int:
    """Size of the largest frame in which a page will send this token: where it resumes every channel."""
    since = dict.fromkeys(channels, _LONGEST_SINCE)
    frame = {"type": "subscribe", "token": token, "channel": max(channels, key=len), "since": since}
    return len(encode_json(frame).encode("utf-8", "surrogatepass"))
