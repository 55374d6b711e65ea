"""One run of a task's body: begun in the store, with its reporter, in its owner's language, and cancellable."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from celery.exceptions import Ignore
from django.utils.encoding import force_str

from channels_progress.exceptions import TaskCancelled
from channels_progress.records import TaskState
from channels_progress.tasks.current import activate, current_reporter
from channels_progress.tasks.flusher import get_flusher
from channels_progress.tasks.injection import Injection
from channels_progress.tasks.origins import Origin
from channels_progress.tasks.reasons import get_public_reason
from channels_progress.tasks.reporter import TaskReporter
from channels_progress.tasks.reporting import TITLE_MAX_CHARS
from channels_progress.values import clean_text

logger = logging.getLogger(__name__)

#: Where our ``Request`` class puts the name of the delivery: an attribute of ``task.request``.
DELIVERY = "channels_progress_delivery"


class Cancelled(Ignore):
    """Ends the run of a cancelled task; tells Celery to leave the result as it is (REVOKED).

    Attributes:
        reason: Why, or an empty string.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Run:
    """A delivery in this process's hands.

    Attributes:
        uid: The task uid.
        origin: Who it runs for.
        reporter: What the body reports to.
        public_reason: The text of the error that left the body, where the task declares it public.
        ended: Whether an ending (or RETRY, PENDING) was handed to the flusher.
    """

    uid: str
    origin: Origin
    reporter: TaskReporter
    public_reason: str = ""
    ended: bool = False

    def end(self, state: TaskState, *, reason: str = "", retry_at: int = 0) -> None:
        """Report how this delivery ended; only the first call counts."""
        if not self.ended:
            self.ended = True
            get_flusher().finish(self.reporter, state, reason=reason, retry_at=retry_at)

    def leave(self) -> None:
        """The body is over without an ending of its own; the worker's main process, or nobody, tells how."""
        if not self.ended:
            get_flusher().leave(self.reporter)


class _LastSettled(threading.local):
    """The last run whose postrun came before its ending: storing the result may still fail, and then says so."""

    run: Run | None = None


_runs: dict[str, Run] = {}
_last_settled = _LastSettled()


def get_delivery(request: Any) -> str:
    """What names this delivery: our ``Request``'s nonce; for an eager task, or its replacement, the call."""
    return getattr(request, DELIVERY, None) or f"{request.id}:{request.get('task', '')}:{request.retries}"


def get_worker(request: Any) -> str:
    """Hostname of the worker that has this request, as Celery calls it; the machine's for an eager task."""
    return str(request.hostname or "")


def get_title(task: Any) -> str:
    """The task's title in the active language: the one it declares, or one made from its name."""
    title = force_str(task.title) or task.name.rpartition(".")[2].replace("_", " ").strip()
    return clean_text(title[:1].upper() + title[1:], "title", TITLE_MAX_CHARS)


def find_run(task: Any, request: Any) -> Run | None:
    """The run of this request; one that has not begun where the body was never reached; None for a direct call."""
    if request.called_directly or request.id is None:
        return None
    return _runs.get(get_delivery(request)) or _make_run(task, request, Origin.from_headers(request.headers))


def settle_run(task: Any, request: Any) -> Run | None:
    """The same, and forget it: its postrun is here."""
    if (run := find_run(task, request)) is not None:
        _runs.pop(get_delivery(request), None)
        _last_settled.run = run
    return run


def find_settled_run(uid: str) -> Run | None:
    """The run that was settled last in this thread, if it is of this task."""
    run = _last_settled.run
    return run if run is not None and run.uid == uid else None


def run_body(task: Any, body: Any, injection: Injection, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Call ``body`` with its reporter. What it returns and raises passes untouched, except ``TaskCancelled``."""
    request = task.request
    if request.called_directly:
        args, kwargs = injection.fill(args, kwargs, current_reporter())
        return body(*args, **kwargs)
    if (run := _runs.get(get_delivery(request))) is not None:
        # The body calls itself, or its parent class's: still the same run.
        args, kwargs = injection.fill(args, kwargs, run.reporter)
        return body(*args, **kwargs)
    origin = Origin.from_headers(request.headers)
    with origin.active():
        run = _begin(task, request, origin)
        args, kwargs = injection.fill(args, kwargs, run.reporter)
        try:
            with activate(run.reporter):
                return body(*args, **kwargs)
        except TaskCancelled as cancelled:
            _revoke(task, request, run, cancelled.reason)
        except Exception as error:
            run.public_reason = get_public_reason(task, error)
            raise


def _begin(task: Any, request: Any, origin: Origin) -> Run:
    """Begin in the store; a task that was cancelled meanwhile goes no further."""
    run = _runs[get_delivery(request)] = _make_run(task, request, origin)
    begun = get_flusher().start(run.reporter)
    if begun is not None and (begun.cancelling if begun.accepted else begun.state is TaskState.REVOKED):
        _revoke(task, request, run, begun.reason)
    return run


def _make_run(task: Any, request: Any, origin: Origin) -> Run:
    with origin.speaking():
        reporter = TaskReporter(
            request.id,
            delivery=get_delivery(request),
            owner=origin.owner,
            title=get_title(task),
            parent=origin.parent,
            name=task.name,
            worker=get_worker(request),
            stages=task.stages,
        )
    return Run(request.id, origin, reporter)


def _revoke(task: Any, request: Any, run: Run, reason: str) -> NoReturn:
    """End as REVOKED, in the result backend too: without that ``get()`` hangs and chords wait for ever."""
    run.end(TaskState.REVOKED, reason=reason)
    try:
        task.backend.mark_as_revoked(request.id, reason, request=request, store_result=_stores_result(task, request))
    except Exception:
        # Raised from here it would count as the task's own failure, and autoretry_for would run it again.
        logger.exception("The result backend did not take that task %s was cancelled.", request.id)
    raise Cancelled(reason)


def _stores_result(task: Any, request: Any) -> bool:
    """Whether Celery would store a result for this run (``celery.app.trace``)."""
    ignored = vars(request).get("ignore_result")
    if ignored is None:
        ignored = task.ignore_result
    return not ignored and (not request.is_eager or bool(task.store_eager_result))
