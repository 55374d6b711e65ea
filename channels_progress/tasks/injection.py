"""How a task body that asks for a ``reporter`` gets one, and how its callers never see that parameter."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from celery.utils.functional import head_from_fun

PARAMETER = "reporter"
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

#: Called with (task, function, injection, args, kwargs); returns what the function returns.
Runner = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Injection:
    """Where a function wants its reporter.

    Attributes:
        wanted: Whether it has a parameter of that name.
        position: Its place among the positional parameters after ``self``; None where it is keyword-only.
        signature: What a caller of the task sees, without ``self`` and without the reporter.
    """

    wanted: bool
    position: int | None
    signature: inspect.Signature

    @classmethod
    def of(cls, function: Callable[..., Any], *, bound: bool) -> Injection:
        """Read it from the signature; ``bound`` functions take the task first."""
        signature = _read_signature(function)
        parameters = list(signature.parameters.values())[1 if bound else 0 :]
        places = [place for place, parameter in enumerate(parameters) if parameter.name == PARAMETER]
        if not places or parameters[places[0]].kind in VARIADIC:
            return cls(False, None, signature.replace(parameters=parameters))
        reporter = parameters.pop(places[0])
        position = None if reporter.kind is inspect.Parameter.KEYWORD_ONLY else places[0]
        return cls(True, position, signature.replace(parameters=parameters))

    def fill(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], reporter: Any
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with ``reporter`` in its place, unless the caller gave one by name."""
        if not self.wanted or PARAMETER in kwargs:
            return args, dict(kwargs)
        if self.position is not None and len(args) >= self.position:
            return (*args[: self.position], reporter, *args[self.position :]), dict(kwargs)
        return args, {**kwargs, PARAMETER: reporter}


def wrap_body(function: Callable[..., Any], runner: Runner, *, bound: bool) -> Callable[..., Any]:
    """A ``run`` method that hands ``function`` and its arguments to ``runner``.

    Celery takes a task's argument check from the signature of ``run`` (``head_from_fun``, which honours
    ``__signature__``), so that a missing argument is still a ``TypeError`` at ``.delay()``.
    """
    injection = Injection.of(function, bound=bound)

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        task, *rest = args
        body = functools.partial(function, task) if bound else function
        return runner(task, body, injection, tuple(rest), kwargs)

    # The name cannot meet a parameter of the caller's: no one writes two leading underscores and this.
    myself = inspect.Parameter("__broadcast_task", inspect.Parameter.POSITIONAL_ONLY)
    seen = [myself, *injection.signature.parameters.values()]
    run.__signature__ = injection.signature.replace(parameters=seen)  # type: ignore[attr-defined]
    run.__channels_progress__ = True  # type: ignore[attr-defined]
    return run


def make_header(run: Callable[..., Any], *, bound: bool) -> staticmethod[..., Any]:
    """What Celery checks a task's arguments with, made as for the function inside ``run``.

    Celery reads more from it than arguments: an errback that is not bound and takes several is called at once, with
    ``(request, exc, traceback)``; one that is bound becomes a message with a task id.
    """
    if bound:
        return staticmethod(head_from_fun(run, bound=True))

    @functools.wraps(run)
    def function() -> None: ...

    signature = inspect.signature(run)
    function.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
    return staticmethod(head_from_fun(function))


def is_wrapped(function: Any) -> bool:
    """Whether this is, or wraps, what :func:`wrap_body` made."""
    return getattr(function, "__channels_progress__", False) is True


def _read_signature(function: Callable[..., Any]) -> inspect.Signature:
    """The signature, without evaluating annotations that exist only for type checkers (Python 3.14, PEP 649)."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)
