"""``@broadcast_task``: a Celery shared task that people can watch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

from celery import shared_task
from celery.app.task import Task

from channels_progress.tasks.base import BroadcastTask
from channels_progress.tasks.injection import make_header, wrap_body
from channels_progress.tasks.reasons import check_public_errors
from channels_progress.tasks.runs import run_body
from channels_progress.tasks.stages import StageWeights, read_stages


@overload
def broadcast_task(function: Callable[..., Any], /) -> BroadcastTask: ...


@overload
def broadcast_task(
    *,
    title: Any = None,
    stages: StageWeights | None = None,
    public_errors: Sequence[type[BaseException]] | None = None,
    app: Any = None,
    base: type[Any] | None = None,
    bind: bool = False,
    **options: Any,
) -> Callable[[Callable[..., Any]], BroadcastTask]: ...


def broadcast_task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    title: Any = None,
    stages: StageWeights | None = None,
    public_errors: Sequence[type[BaseException]] | None = None,
    app: Any = None,
    base: type[Any] | None = None,
    bind: bool = False,
    **options: Any,
) -> Any:
    """Make a Celery task that reports its progress, and whose end is reported whatever happens to it.

    A parameter named ``reporter`` (after ``self`` with ``bind=True``) is filled with the ``TaskReporter``; callers
    of the task never pass it. A task without that parameter shows when it starts and ends.

    Args:
        title: What people call it, perhaps a lazy translation. Default: the base's, else made from the function's name.
        stages: Names of its stages in order, or names with weights: one bar over all of them. Default: the base's.
        public_errors: Exceptions whose text is shown to the person watching, besides ``PublicError``. The text of
            any other stays in the log and the result backend.
        app: The Celery app; default: a shared task, for every app.
        base: A Task class of your own; it is mixed with ours. Default: the app's.
        bind: Whether the function takes the task as its first argument.
        options: Everything else that ``shared_task`` and ``app.task`` take.

    Raises:
        TypeError: An option does not have the shape above.
        ValueError: ``stages`` has a name twice, or no weight above zero.
    """
    # None: as the base has it.
    ours = {"title": title, "stages": stages, "public_errors": public_errors}
    options |= {name: value for name, value in ours.items() if value is not None}
    # Now, not when an app first asks for a shared task.
    read_stages(stages)
    check_public_errors(public_errors or ())

    def decorate(function: Callable[..., Any]) -> Any:
        # Celery itself always sees a bound function: that is how ``run`` knows its task.
        body = wrap_body(function, run_body, bound=bind)
        make_task = app.task if app is not None else shared_task
        return make_task(
            bind=True,
            base=_mix_base(base),
            **{"__header__": make_header(body, bound=bind), **options},
        )(body)

    if function is None:
        return decorate
    if not callable(function):
        raise TypeError(f"@broadcast_task was given {function!r}; a function is expected, and options by name.")
    return decorate(function)


class _AppTaskType(type):
    """Stands in for "the app's own Task class", which a shared task learns only when an app registers it."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        if "app" not in namespace:
            return super().__new__(mcs, name, bases, namespace)
        return type(name, (BroadcastTask, namespace["app"].Task), namespace)


class _AppTask(metaclass=_AppTaskType):
    """Given to Celery as ``base``; the task made from it inherits from our class and from ``app.Task``."""


def _mix_base(base: type[Any] | None) -> type[Any]:
    if base is None:
        return _AppTask
    if not (isinstance(base, type) and issubclass(base, Task)):
        raise TypeError(f"base is {base!r}; a subclass of celery.Task is expected.")
    if issubclass(base, BroadcastTask):
        return base
    return type(f"Broadcast{base.__name__}", (BroadcastTask, base), {"__module__": base.__module__, "abstract": True})
