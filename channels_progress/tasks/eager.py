"""Running tasks where they are sent, for the tests of a project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery, current_app


@contextmanager
def run_eagerly(app: Celery | None = None) -> Iterator[None]:
    """Let ``delay()`` of the app's tasks (the current app's) run them at once, and raise what they raise."""
    conf = (app or current_app).conf
    former = conf.task_always_eager, conf.task_eager_propagates
    conf.task_always_eager = conf.task_eager_propagates = True
    try:
        yield
    finally:
        conf.task_always_eager, conf.task_eager_propagates = former
