"""The oldest releases that we work with, and those with known holes. pip knows the former too, but is not always asked.

What the minimum leaves behind, besides what does not work:

- Django 5.2.18: CVE-2026-84429, quadratic time for a header such as ``Accept``, which our views read; CVE-2026-77050,
  memory for languages; and all before them.
- asgiref 3.11.1: CVE-2025-14550, a header repeated without limit.
- daphne 4.2.2: CVE-2026-44545, WebSocket messages of any size are kept in memory before we can refuse them;
  CVE-2026-44546, headers smuggled into the handshake, the origin among them.
- djangorestframework-simplejwt 5.4: CVE-2024-22513, tokens of inactive users; 5.5.1 takes newer releases of PyJWT.
- hiredis 3.4.1: nested replies overflow the stack (redis/hiredis#1340).
- Long fixed in all that we work with: redis-py 4.5.4, CVE-2023-28858 and -28859, answers to somebody else's question;
  Celery 5.2.2, CVE-2021-23727, commands in results; channels 3.0.3, CVE-2020-35681.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  Django's name for it
from django.utils.version import get_version_tuple

#: As in ``pyproject.toml``; a test compares them.
MINIMUM_VERSIONS: Mapping[str, str] = {
    "Django": "5.2.18",
    "channels": "4.3.2",
    "asgiref": "3.11.1",
    "celery": "5.5",
    "redis": "7",
    "hiredis": "3.4.1",
    "channels-redis": "4.3",
    "daphne": "4.2.2",
    "djangorestframework": "3.16",
    "djangorestframework-simplejwt": "5.5.1",
    "apprise": "1.9",
}

#: Where a hole is open in newer series, too, which a minimum cannot say: the first release of each without it.
FIXED_VERSIONS: Mapping[str, Mapping[tuple[int, int], str]] = {
    # CVE-2026-84429, as above (https://docs.djangoproject.com/en/stable/releases/security/).
    "Django": {(6, 0): "6.0.9", (6, 1): "6.1.2"},
}


def check_versions() -> Iterator[CheckMessage]:
    """An error for each distribution that is too old, a warning for one with a hole; what is missing is not missed."""
    for name, minimum in MINIMUM_VERSIONS.items():
        installed = _find_version(name)
        if installed is not None and get_version_tuple(installed) < get_version_tuple(minimum):
            yield Error(
                f"{name} {installed} is installed; {minimum} is the oldest that works and has no known hole.",
                hint=f'pip install "{name}>={minimum}"',
                id="channels_progress.E020",
            )
    for name, fixed_versions in FIXED_VERSIONS.items():
        installed = _find_version(name)
        fixed = fixed_versions.get(get_version_tuple(installed)[:2]) if installed is not None else None
        if installed is not None and fixed and get_version_tuple(installed) < get_version_tuple(fixed):
            yield Warning(
                f"{name} {installed} is installed; {fixed} fixes a hole that any request can reach.",
                hint=f'pip install "{name}>={fixed}"',
                id="channels_progress.W032",
            )


def _find_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
