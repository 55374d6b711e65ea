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

from channels_progress.tasks.base import BroadcastTask
from channels_progress.tasks.current import current_reporter
from channels_progress.tasks.decorator import broadcast_task
from channels_progress.tasks.deliveries import deliver_due
from channels_progress.tasks.handles import EagerTaskHandle, TaskHandle, get_handle
from channels_progress.tasks.jobs import reconcile
from channels_progress.tasks.reporter import TaskReporter

__all__ = [
    "BroadcastTask",
    "EagerTaskHandle",
    "TaskHandle",
    "TaskReporter",
    "broadcast_task",
    "current_reporter",
    "deliver_due",
    "get_handle",
    "reconcile",
]
