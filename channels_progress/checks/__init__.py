"""System checks: what a configuration can show to be wrong, each with what to write instead.

Errors (``E…``) are for our own dict and our requirements, where nothing could work. Whatever concerns the rest of the
project is a warning (``W…``): a worker with settings of its own must still start, and so must ``migrate``.
Every id is explained in ``docs/checks.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, register

from channels_progress.checks.databases import check_database_store
from channels_progress.checks.layers import check_channel_layer
from channels_progress.checks.options import check_options
from channels_progress.checks.site import check_site
from channels_progress.checks.versions import check_versions
from channels_progress.checks.workers import check_celery

__all__ = ["TAG", "register_checks"]

#: ``manage.py check --tag channels_progress`` runs only these.
TAG = "channels_progress"

CHECKS = (check_options, check_channel_layer, check_database_store, check_site, check_celery, check_versions)


def register_checks() -> None:
    """Connect every check; ``AppConfig.ready()`` calls it."""
    register(run_checks, TAG)


def run_checks(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """All messages of all checks."""
    return [message for check in CHECKS for message in check()]
