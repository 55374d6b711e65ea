"""Checks of the origins that may open a socket."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  Django's name for it
from django.http.request import validate_host

from channels_progress.conf import SETTING, Settings
from channels_progress.consumers.origins import parse_origin


def check_origins(options: Settings) -> Iterator[CheckMessage]:
    """Whether ``ALLOWED_ORIGINS`` means what it says, and whether the site's own pages are let in."""
    for origin in options.ALLOWED_ORIGINS:
        if "*" in origin:
            yield Error(
                f'{SETTING}["ALLOWED_ORIGINS"] holds {origin!r}; wildcards would let foreign sites use your '
                "visitors' logins.",
                hint='Write every origin in full: "https://app.example.com".',
                id="channels_progress.E008",
            )
        elif parse_origin(origin) is None:
            yield Error(
                f'{SETTING}["ALLOWED_ORIGINS"] holds {origin!r}, which no browser sends as an origin.',
                hint="Write scheme and host, and the port unless it is the default one, without a path: "
                '"https://app.example.com".',
                id="channels_progress.E009",
            )
    if not django_settings.SECURE_PROXY_SSL_HEADER:
        yield from _check_proxy(options)


def _check_proxy(options: Settings) -> Iterator[CheckMessage]:
    """A site that must trust its own https origin is behind a proxy that Django does not know to speak TLS."""
    allowed = set(map(parse_origin, options.ALLOWED_ORIGINS))
    for text in django_settings.CSRF_TRUSTED_ORIGINS:
        origin = parse_origin(text)
        if origin and origin.scheme == "https" and origin not in allowed and _is_own_host(origin.host):
            example = "https://app.example.com" if "*" in text else text
            yield Warning(
                f"CSRF_TRUSTED_ORIGINS holds {text!r}, a host of this very site: so Django takes its requests for "
                "plain http, and its pages will be refused the socket as foreign.",
                hint='Write SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if your proxy sets that '
                f'header, or {SETTING} = {{"ALLOWED_ORIGINS": ["{example}"]}}.',
                id="channels_progress.W026",
            )


def _is_own_host(host: str) -> bool:
    # "*" would make every host ours, and says nothing about this one.
    return validate_host(host, [pattern for pattern in django_settings.ALLOWED_HOSTS if pattern != "*"])
