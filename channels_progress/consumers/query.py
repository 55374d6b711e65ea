"""What the URL of a socket says: the page's id, and what clients that send no frames to subscribe want."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from channels_progress.page_ids import is_page_id
from channels_progress.values import UNSAFE


@dataclass(frozen=True, slots=True)
class ConnectQuery:
    """The query of a socket's URL.

    Attributes:
        page_id: ``page``, or an empty string.
        is_html: ``format=html``: HTML only, and bare, as htmx's ws extension wants it.
        channels: ``extraChannels``, a JSON list; each once. Anything else is none.
        token: ``subscription_token``, or an empty string.
        since: ``since``, the id of the last stored event that an anonymous client has; None where it does not say.
        is_inbox: ``inbox=true``: the first page of the viewer's inbox, and what changes there.
    """

    page_id: str = ""
    is_html: bool = False
    channels: tuple[str, ...] = ()
    token: str = field(default="", repr=False)
    since: int | None = None
    is_inbox: bool = False

    def find_since(self, channels: Iterable[str]) -> dict[str, tuple[str, int]]:
        """``since`` for each of these channels, as a frame of our own client has it."""
        return {} if self.since is None else dict.fromkeys(channels, ("", self.since))


def parse_query(scope: Mapping[str, Any]) -> ConnectQuery:
    """The query of an ASGI scope; what is not understood is left out."""
    raw = scope.get("query_string") or b""
    if not raw:
        return ConnectQuery()
    try:
        values = {name: given[0] for name, given in parse_qs(raw.decode("ascii"), max_num_fields=20).items()}
    except ValueError:
        return ConnectQuery()
    page_id = values.get("page", "")
    return ConnectQuery(
        page_id if is_page_id(page_id) else "",
        values.get("format") == "html",
        _parse_channels(values.get("extraChannels", "")),
        values.get("subscription_token", ""),
        _parse_since(values.get("since", "")),
        values.get("inbox") == "true",
    )


def _parse_channels(text: str) -> tuple[str, ...]:
    try:
        names = json.loads(text) if text else []
    except (ValueError, RecursionError):
        return ()
    # The reference takes numbers, too.
    texts = [str(name) for name in names if isinstance(name, str | int)] if isinstance(names, list) else []
    # JSON can spell half characters, which neither a store nor a frame can carry.
    return tuple(dict.fromkeys(text for text in texts if not UNSAFE.search(text)))


def _parse_since(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
