"""Page ids: how one open page is told apart, so that it is not sent what it has done itself."""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpRequest

from channels_progress.values import shorten

__all__ = ["get_page_id"]

#: Our client puts it on every request of a page to its own origin.
PAGE_ID_HEADER = "X-Channels-Progress-Page"

_PAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def get_page_id(request: HttpRequest) -> str | None:
    """The id of the page that sent this request, for ``exclude=``; None where it did not say, or said nonsense.

    An id is neither a secret nor a permission: whoever names another page's only keeps something from it.
    """
    page_id = request.headers.get(PAGE_ID_HEADER, "")
    return page_id if is_page_id(page_id) else None


def is_page_id(text: str) -> bool:
    """Whether this can be the id of a page."""
    return _PAGE_ID.fullmatch(text) is not None


def clean_page_id(page_id: Any) -> str:
    """A page id, or an empty string for None.

    Raises:
        TypeError: It is neither a string nor None.
        ValueError: It is no page id.
    """
    if page_id is None:
        return ""
    if not isinstance(page_id, str):
        raise TypeError(f"exclude is {type(page_id).__name__}; a page id (get_page_id(request)) or None is expected.")
    if not is_page_id(page_id):
        raise ValueError(f"exclude is {shorten(repr(page_id), 60)}; a page id (get_page_id(request)) is expected.")
    return page_id
