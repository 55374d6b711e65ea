"""The oldest releases that we work with. pip knows them too, but is not always asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

from django.core.checks import CheckMessage, Error
from django.utils.version import get_version_tuple

#: As in ``pyproject.toml``; a test compares them.
MINIMUM_VERSIONS: Mapping[str, str] = {
    "Django": "5.2.8",
    "channels": "4.3.2",
    "asgiref": "3.9.1",
    "celery": "5.5",
    "redis": "7",
    "hiredis": "3",
    "channels-redis": "4.3",
    "daphne": "4.2",
}


def check_versions() -> Iterator[CheckMessage]:
    """An error for each installed distribution that is too old; one that is not installed is not missed here."""
    for name, minimum in MINIMUM_VERSIONS.items():
        installed = _find_version(name)
        if installed is not None and get_version_tuple(installed) < get_version_tuple(minimum):
            yield Error(
                f"{name} {installed} is installed; {minimum} is the oldest that works.",
                hint=f'pip install "{name}>={minimum}"',
                id="channels_progress.E020",
            )


def _find_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
