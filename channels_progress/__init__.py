"""Live progress of Celery tasks on Django pages.

Importing this package loads neither Celery nor models; ``broadcast_task`` and ``TaskReporter`` come on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from channels_progress.tasks import TaskReporter, broadcast_task

__version__ = "0.1.0"
__all__ = ["TaskReporter", "__version__", "broadcast_task"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("channels_progress.tasks"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
