"""Checks of the project's Celery configuration, where it uses Celery."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module

from django.core.checks import CheckMessage, Warning  # noqa: A004  Django's name for it


def check_celery() -> Iterator[CheckMessage]:
    """What the Celery app's configuration shows; nothing where Celery is not in use."""
    if "celery" not in sys.modules:
        return
    # By name, because the tasks package needs Celery, which a project may not have.
    configuration = import_module("channels_progress.tasks.probe").read_configuration()
    if configuration is None:
        return
    if configuration.accepts_pickle:
        yield Warning(
            "Celery accepts pickle: whoever can write to the broker can run any code in your workers.",
            hint='Write CELERY_ACCEPT_CONTENT = ["json"].',
            id="channels_progress.W030",
        )
    for name in configuration.pickles:
        yield Warning(
            f"Celery's {name} is pickle: whoever reads it must unpickle, and so run whatever stands there.",
            hint=f'Write CELERY_{name.upper()} = "json".',
            id="channels_progress.W033",
        )
    if configuration.keeps_results_in_django_db and not configuration.result_extended:
        yield Warning(
            "Without result_extended django-celery-results keeps neither name nor traceback of a failed task.",
            hint="Write CELERY_RESULT_EXTENDED = True.",
            id="channels_progress.W031",
        )
