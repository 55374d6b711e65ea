"""A task bound to the person it is started for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from channels_progress.tasks.handles import EagerTaskHandle, TaskHandle
from channels_progress.tasks.origins import Origin

if TYPE_CHECKING:
    from channels_progress.tasks.base import BroadcastTask


class OwnedTask:
    """Sends a task with its owner in the message headers; what it returns is what the task's own methods return.

    Attributes:
        task: The task.
        origin: Who it is sent for.
    """

    def __init__(self, task: BroadcastTask, origin: Origin) -> None:
        self.task = task
        self.origin = origin

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.task.name}>"

    def delay(self, *args: Any, **kwargs: Any) -> TaskHandle:
        """Like ``Task.delay``."""
        return self.apply_async(args, kwargs)

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> TaskHandle:
        """Like ``Task.apply_async``; the owner is added to ``headers``."""
        return self.task.apply_async(args, kwargs, **self._own(options))

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> TaskHandle:
        """A handle now; the task is sent when the transaction commits."""
        return self.apply_async_on_commit(args, kwargs)

    def apply_async_on_commit(self, args: Any = None, kwargs: Any = None, **options: Any) -> TaskHandle:
        """A handle now; the task is sent when the transaction commits."""
        return self.task.apply_async_on_commit(args, kwargs, **self._own(options))

    def apply(self, args: Any = None, kwargs: Any = None, **options: Any) -> EagerTaskHandle:
        """Like ``Task.apply``: run here and now."""
        return self.task.apply(args, kwargs, **self._own(options))

    def signature(self, *args: Any, **options: Any) -> Any:
        """Like ``Task.signature``; the owner goes along in chains, groups and chords."""
        signature = self.task.signature(*args, **options)
        return signature.set(**self._own(signature.options))

    def s(self, *args: Any, **kwargs: Any) -> Any:
        """Like ``Task.s``."""
        return self.signature(args, kwargs)

    def si(self, *args: Any, **kwargs: Any) -> Any:
        """Like ``Task.si``."""
        return self.signature(args, kwargs, immutable=True)

    def _own(self, options: dict[str, Any]) -> dict[str, Any]:
        return {**options, "headers": self.origin.add_to(options.get("headers"))}
