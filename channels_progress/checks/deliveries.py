"""Checks of deliveries: what would only be seen once somebody is notified by one, perhaps far from whoever can help."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from urllib.parse import urlsplit

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from channels_progress.conf import SETTING, Settings


def check_deliveries(options: Settings) -> Iterator[CheckMessage]:
    """Whether every delivery of the settings can be made, and somebody carries them out."""
    if options.DELIVERIES:
        # It needs the models, which are there when checks are run, but not when this module is imported.
        deliveries = import_module("channels_progress.notifications.deliveries.registry").Deliveries(options)
        yield from (_unusable(problem) for name in options.DELIVERIES if (problem := _find_problem(deliveries, name)))
    if options.DELIVERY_DISPATCHER and not _is_callable(options.DELIVERY_DISPATCHER):
        yield Error(
            f'{SETTING}["DELIVERY_DISPATCHER"] {options.DELIVERY_DISPATCHER!r} is nothing that can be called. '
            "Deliveries wait for manage.py deliver_due.",
            hint="Write the dotted path of a function that takes a list of ids and a time, or leave it out for Celery.",
            id="channels_progress.E018",
        )
    if options.SITE_URL and not _is_site(options.SITE_URL):
        yield Error(
            f'{SETTING}["SITE_URL"] is {options.SITE_URL!r}; links in e-mails would lead nowhere.',
            hint='Write scheme and host: "https://example.com".',
            id="channels_progress.E019",
        )


def _unusable(problem: str) -> Error:
    return Error(
        problem,
        hint="Write the dotted path of a class, or a dict with its options: "
        f'{SETTING} = {{"DELIVERIES": {{"email": {{"digest_s": 600}}, "sms": "mysite.deliveries.SMS"}}}}.',
        id="channels_progress.E017",
    )


def _find_problem(deliveries: object, name: object) -> str:
    try:
        deliveries[name]  # type: ignore[index]  # Deliveries, which cannot be imported here
    except ImproperlyConfigured as error:
        return str(error)
    except Exception as error:
        # A class of the project raises anything, perhaps with a secret in it; of an import it is the name that counts.
        said = f": {error}" if isinstance(error, ImportError) else ""
        return f'{SETTING}["DELIVERIES"]["{name}"] cannot be used: {type(error).__name__}{said}'
    return ""


def _is_callable(path: str) -> bool:
    try:
        return callable(import_string(path))
    except ImportError:
        return False


def _is_site(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not (parts.query or parts.fragment)
