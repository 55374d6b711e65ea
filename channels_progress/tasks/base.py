"""The Celery task class behind ``@broadcast_task``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from celery.app.task import Task
from celery.utils import uuid
from celery.utils.imports import symbol_by_name
from django.db import transaction

from channels_progress.tasks.handles import EagerTaskHandle, TaskHandle, as_eager_handle
from channels_progress.tasks.injection import is_wrapped, make_header, wrap_body
from channels_progress.tasks.origins import HEADER, Origin, get_request_origin, get_user_origin
from channels_progress.tasks.owned import OwnedTask
from channels_progress.tasks.reasons import check_public_errors
from channels_progress.tasks.runs import run_body
from channels_progress.tasks.stages import StageWeights, read_stages

if TYPE_CHECKING:
    _AnyTask = Task[..., Any]
else:
    _AnyTask = Task


# Named, not imported: only a worker's main process needs it, and with it most of Celery's worker.
REQUEST_MIXER = "channels_progress.tasks.requests:mix_request_class"


class BroadcastTask(_AnyTask):
    """A Celery task that people can watch. Made by ``@broadcast_task``, or subclassed with a ``run`` method.

    Attributes:
        title: What people call it; a lazy translation is resolved in the owner's language. Empty: from the name.
        stages: Its stages in order: names, or names with weights.
        public_errors: Exceptions whose text is shown to the person watching, besides ``PublicError``.
    """

    abstract = True
    title: Any = ""
    stages: StageWeights | None = None
    public_errors: Sequence[type[BaseException]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        read_stages(cls.stages)
        cls.public_errors = check_public_errors(cls.public_errors)
        # Perhaps a mixin's, or that of the task class that ours is mixed with.
        body = inspect.getattr_static(cls, "run")
        if body is not Task.run and not is_wrapped(body):
            cls._wrap(body)

    @classmethod
    def _wrap(cls, body: Any) -> None:
        # Static: what ``@app.task(base=…)`` makes of a function that is not bound.
        bound = not isinstance(body, staticmethod)
        function = body if bound else body.__func__
        cls.run = wrap_body(function, run_body, bound=bound)  # type: ignore[method-assign]
        if "__header__" in vars(cls):
            cls.__header__ = make_header(cls.run, bound=bound)  # type: ignore[attr-defined]

    def start_strategy(self, app: Any, consumer: Any, **kwargs: Any) -> Any:
        """Called once in a worker's main process, before it takes messages."""
        # A project's own Request class (on the task or its base) gets our reports too.
        self.Request = symbol_by_name(REQUEST_MIXER)(symbol_by_name(self.Request))
        return super().start_strategy(app, consumer, **kwargs)

    def for_request(self, request: Any) -> OwnedTask:
        """The task, started for whoever sent this HTTP request: their login or, without one, their session."""
        return OwnedTask(self, get_request_origin(request))

    def for_user(self, user: Any, *, language: str | None = None, time_zone: str | None = None) -> OwnedTask:
        """The task, started for this user.

        Args:
            user: A saved user.
            language: Code of the language for texts; None: that of the running task of the same owner, if any.
            time_zone: IANA name of their time zone; None: likewise.
        """
        return OwnedTask(self, get_user_origin(user, language=language, time_zone=time_zone))

    def AsyncResult(self, task_id: str, **kwargs: Any) -> TaskHandle:  # noqa: N802  Celery's name
        """The handle of this task's run ``task_id``."""
        return TaskHandle(str(task_id), backend=self.backend, app=self.app, **kwargs)

    if TYPE_CHECKING:
        # Celery's own, which returns what ``apply_async`` does.
        def delay(self, *args: Any, **kwargs: Any) -> TaskHandle: ...

    def apply_async(
        self, args: Any = None, kwargs: Any = None, task_id: Any = None, *more: Any, **options: Any
    ) -> TaskHandle:
        """Like Celery's, with a handle as the result: an ``EagerTaskHandle`` in eager mode."""
        # Celery takes a UUID as an id as well, such as the key of a model.
        uid = None if task_id is None else str(task_id)
        return cast("TaskHandle", super().apply_async(args, kwargs, uid, *more, **options))

    def apply(self, *args: Any, **options: Any) -> EagerTaskHandle:
        """Like Celery's, with a handle as the result."""
        if options.get("task_id") is not None:
            options["task_id"] = str(options["task_id"])
        return as_eager_handle(super().apply(*args, **options))

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> TaskHandle:
        """A handle now; the task is sent when the transaction commits, and never if it rolls back."""
        return self.apply_async_on_commit(args, kwargs)

    def apply_async_on_commit(self, args: Any = None, kwargs: Any = None, **options: Any) -> TaskHandle:
        """The same with the options of ``apply_async``. Wrong arguments are a ``TypeError`` here and now."""
        # What Celery checks when sending; a task made from a class has no such check.
        check_arguments = getattr(self, "__header__", None)
        if self.typing and check_arguments is not None:
            check_arguments(*(args or ()), **(kwargs or {}))
        task_id = str(options.pop("task_id", None) or uuid())
        transaction.on_commit(partial(self.apply_async, args, kwargs, task_id=task_id, **options))
        return self.AsyncResult(task_id)

    def replace(self, sig: Any) -> Any:
        """Like Celery's; the replacement is of the same owner."""
        _pass_on(sig, Origin.from_headers(self.request.headers))
        return super().replace(sig)


def _pass_on(signature: Any, origin: Origin) -> None:
    """Give every task of a canvas this origin, where it has none of its own."""
    if parts := _get_parts(signature):
        for part in parts:
            _pass_on(part, origin)
    elif origin.as_header():
        headers = signature["options"].get("headers") or {}
        if HEADER not in headers:
            signature["options"]["headers"] = origin.add_to(headers)


def _get_parts(signature: Any) -> list[Any]:
    """What a chain, group or chord is made of; nothing for the signature of a task."""
    kwargs = signature["kwargs"]
    match signature.get("subtask_type"):
        case "chain" | "group":
            return list(kwargs["tasks"])
        case "chord":
            header = kwargs["header"]
            return [*([header] if isinstance(header, Mapping) else header), *filter(None, [kwargs.get("body")])]
    return []
