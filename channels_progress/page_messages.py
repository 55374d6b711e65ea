"""What a page needs to show what is broadcast to it: the plain function behind ``{% page_messages %}``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.urls import NoReverseMatch, get_script_prefix, reverse

from channels_progress.conf import Settings, get_settings
from channels_progress.events import encode_json
from channels_progress.viewers import get_request_viewer

__all__ = ["messages_context"]

#: Where messages appear: an edge of the window, and of which end of the line.
POSITIONS = ("top-start", "top", "top-end", "bottom-start", "bottom", "bottom-end")


def messages_context(
    request: HttpRequest,
    *,
    channels: Iterable[str] | str | None = (),
    token: str = "",
    audiences: bool = True,
    position: str = "top-end",
    duration_s: float = 8,
    mark_requests: bool = True,
) -> dict[str, Any]:
    """What the page of whoever sent ``request`` may hear, and how it shows it, as JSON-ready values.

    Args:
        channels: Names of more channels, or their list as JSON text; the ``SUBSCRIPTION_AUTHORIZER`` has its say when
            the page asks for them.
        token: Of ``issue_subscription_token``: grants its channels by itself.
        audiences: False leaves out those that the viewer belongs to.
        position: ``top-end``, ``top``, ``top-start``, ``bottom-end``, ``bottom`` or ``bottom-start``.
        duration_s: How long information and successes stay, seconds; 0 for until they are closed. Warnings and errors
            always stay.
        mark_requests: False keeps the page from saying its id with its requests, for ``exclude``.

    Returns:
        The context of ``channels_progress/page_messages.html``; ``docs/pages.md`` names its keys. Where there is
        nothing that this viewer could hear, ``socket_url`` is empty, and the page opens no socket.

    Raises:
        TypeError: ``channels`` are no names.
        ValueError: An unknown position, or a duration below 0.
    """
    if position not in POSITIONS:
        raise ValueError(f"position is {position!r}; one of {', '.join(POSITIONS)} is expected.")
    if duration_s < 0:
        raise ValueError(f"duration_s is {duration_s!r}; 0 or more is expected.")
    settings = get_settings()
    is_anonymous = not get_request_viewer(request).is_authenticated
    heard = _find_heard(settings, is_anonymous, read_channels(channels), token, audiences=audiences)
    is_heard = any(heard.values())
    return {
        **heard,
        "channels_json": encode_json(heard["channels"]),
        "anonymous": is_anonymous,
        "socket_url": get_script_prefix() + settings.SOCKET_PATH if is_heard else "",
        "token_url": _find_token_url() if token else "",
        # A page of somebody without login may be kept by caches, where no token of theirs belongs.
        "csrf_token": get_token(request) if is_heard and not is_anonymous else "",
        "redirect_hosts": list(settings.ALLOWED_REDIRECT_HOSTS),
        "position": position,
        "duration_s": duration_s,
        # Not in the words of a language that writes 2,5.
        "duration_text": str(duration_s),
        "mark_requests": mark_requests,
    }


def read_channels(value: Any) -> list[str]:
    """Channel names, each once, from a list of them or its JSON text; nothing, in any of its forms, is none.

    Raises:
        TypeError: It is neither.
    """
    names = _parse(value) if isinstance(value, str) else value
    if names is None or names == "":
        return []
    is_list = isinstance(names, Iterable) and not isinstance(names, str | Mapping)
    listed = list(names) if is_list else [names]
    if not is_list or not all(isinstance(name, str) for name in listed):
        raise TypeError(f"channels are {value!r:.60}; a list of names is expected.")
    return list(dict.fromkeys(filter(None, listed)))


def _parse(text: str) -> Any:
    try:
        return json.loads(text.strip() or "[]")
    except ValueError:
        # One name, which would be a slip: a list of its letters is not meant.
        return text


def _find_heard(
    settings: Settings, is_anonymous: bool, channels: list[str], token: str, *, audiences: bool
) -> dict[str, Any]:
    """What to ask for: a socket that would be closed before it is accepted is not worth opening."""
    # Without login a socket is accepted where the audience is on, or for a token.
    may_connect = not is_anonymous or settings.ENABLE_ANONYMOUS or bool(token)
    has_audience = settings.ENABLE_ALL or (settings.ENABLE_ANONYMOUS if is_anonymous else settings.ENABLE_AUTHENTICATED)
    may_hear_pages = may_connect and settings.ENABLE_PAGE_CHANNELS
    return {
        "audiences": audiences and may_connect and has_audience,
        "channels": channels if may_hear_pages else [],
        # It may be a task's, too.
        "token": token,
    }


def _find_token_url() -> str:
    """Where tokens are renewed; empty on a site that has not included our URLs."""
    try:
        return reverse("channels_progress:token")
    except NoReverseMatch:
        return ""
