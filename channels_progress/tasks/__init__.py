"""Tasks that people can watch. Needs Celery: ``channels-progress[celery]``."""

from __future__ import annotations

try:
    import celery  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "celery":
        raise
    raise ImportError(
        "channels_progress.tasks needs Celery, which is not installed: pip install 'channels-progress[celery]'",
        name="celery",
    ) from error
