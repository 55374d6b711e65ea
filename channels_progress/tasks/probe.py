"""Questions about the project's Celery: asked by the system checks and by ``progress_doctor``."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

from celery import Celery, current_app
from kombu.utils.url import maybe_sanitize_url

from channels_progress.tasks.base import BroadcastTask

#: What connecting to the broker and asking may take, besides waiting for answers.
CONNECTING_S = 2.0

_PICKLE = frozenset({"pickle", "application/x-python-serialize"})
_SERIALIZERS = ("task_serializer", "result_serializer", "event_serializer")
_DJANGO_DB = ("django-db", "django_celery_results.backends:DatabaseBackend", "django_celery_results.backends.Database")


class ProbeTimeout(Exception):
    """Celery did not come back in time."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the checks want to know of a Celery app.

    Attributes:
        main: The app's name.
        broker: Its URL without password.
        accepts_pickle: Whether workers and clients unpickle what they receive.
        pickles: Which settings make it write pickle, which nobody else can be told to refuse then.
        keeps_results_in_django_db: Whether results go to django-celery-results' table.
        result_extended: ``result_extended`` as configured.
        always_eager: Whether tasks run in the calling process, without any worker.
    """

    main: str
    broker: str
    accepts_pickle: bool
    pickles: tuple[str, ...]
    keeps_results_in_django_db: bool
    result_extended: bool
    always_eager: bool


def read_configuration() -> Configuration | None:
    """The configuration of the current app, or None where the project has not made one."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    # Celery warns where its fallback app finds no celeryconfig module.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        conf = app.conf
        broker = conf.broker_url
    if _is_fallback(app) and not broker:
        return None
    return Configuration(
        main=app.main or "",
        broker=maybe_sanitize_url(broker if isinstance(broker, str) else "; ".join(broker or ())),
        accepts_pickle=not _PICKLE.isdisjoint([*(conf.accept_content or ()), *(conf.result_accept_content or ())]),
        pickles=tuple(name for name in _SERIALIZERS if conf[name] in _PICKLE),
        keeps_results_in_django_db=str(conf.result_backend).startswith(_DJANGO_DB),
        result_extended=bool(conf.result_extended),
        always_eager=bool(conf.task_always_eager),
    )


def list_broadcast_tasks() -> list[str]:
    """The names of all tasks of ours that this project has, its task modules imported as a worker would."""
    current_app.loader.import_default_modules()
    return sorted(name for name, task in current_app.tasks.items() if isinstance(task, BroadcastTask))


def ask_workers(*, timeout_s: float) -> dict[str, set[str]]:
    """The workers that answer in ``timeout_s``, each with the names of its tasks.

    Raises:
        ProbeTimeout: The broker did not answer.
        Exception: What Celery raises where the broker refuses.
    """

    # The current app is the thread's own.
    app = current_app._get_current_object()  # type: ignore[attr-defined]

    def ask() -> dict[str, set[str]]:
        with app.connection_for_write(connect_timeout=timeout_s) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=ceil(timeout_s))
            answers = app.control.inspect(timeout=timeout_s, connection=connection).registered()
        # Each line is a name, perhaps followed by "[rate_limit=…]".
        return {worker: {line.split(" ")[0] for line in lines} for worker, lines in (answers or {}).items()}

    answer: dict[str, set[str]] = _with_deadline(ask, timeout_s + CONNECTING_S)
    return answer


def _is_fallback(app: Celery) -> bool:
    """Whether this is what Celery makes up where nobody has made an app (``celery._state``)."""
    return app.main == "default" and not app.set_as_current  # type: ignore[attr-defined]


def _with_deadline(function: Callable[[], Any], deadline_s: float) -> Any:
    # No timeout covers every transport: a frozen Redis holds kombu for ever. A daemon thread can be left behind.
    outcome: list[tuple[Any, Exception | None]] = []

    def run() -> None:
        try:
            outcome.append((function(), None))
        except Exception as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run, daemon=True, name="channels-progress-probe")
    thread.start()
    thread.join(deadline_s)
    if not outcome:
        raise ProbeTimeout(f"No answer within {deadline_s:g} s.")
    [(answer, error)] = outcome
    if error is not None:
        raise error
    return answer
