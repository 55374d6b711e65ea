"""Where a page may be led to."""

from __future__ import annotations

import unicodedata
from typing import Any

from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme

from channels_progress.conf import get_settings
from channels_progress.values import shorten

URL_MAX_CHARS = 2_000


def clean_url(url: Any, name: str = "url") -> str:
    """``url``, if it is a path of this site or an http(s) URL of one of ``ALLOWED_REDIRECT_HOSTS``.

    Raises:
        TypeError: It is not a string.
        ValueError: It leads elsewhere, or browsers may read it differently from what it looks like.
    """
    if isinstance(url, Promise):
        url = str(url)
    if not isinstance(url, str):
        raise TypeError(f"{name} is {type(url).__name__} {shorten(repr(url), 60)}; a string is expected.")
    hosts = set(get_settings().ALLOWED_REDIRECT_HOSTS)
    if not leads_only_to(url, hosts):
        raise ValueError(
            f"{name} is {shorten(repr(url), 100)}; a path of this site such as '/done/' is expected, or an http(s) URL "
            f"of a host in ALLOWED_REDIRECT_HOSTS ({', '.join(sorted(hosts)) or 'none'})."
        )
    return url


def leads_only_to(url: str, hosts: set[str]) -> bool:
    """Whether it is a path of this site, or an http(s) URL of one of ``hosts``, to Django and to browsers alike."""
    return _is_plain(url) and url_has_allowed_host_and_scheme(url, allowed_hosts=hosts)


def _is_plain(url: str) -> bool:
    """Whether it is absolute, of sane length, and free of what browsers turn into something else.

    They drop tabs and newlines and read a backslash as a slash (WHATWG URL, 4.4). Django looks at what is left without
    spaces at either end, of any script, where a browser sees a host with spaces in it.
    """
    if len(url) > URL_MAX_CHARS or url != url.strip() or url.startswith("//"):
        return False
    if not url.startswith(("/", "http://", "https://")):
        return False
    return not any(character == "\\" or unicodedata.category(character).startswith("C") for character in url)
