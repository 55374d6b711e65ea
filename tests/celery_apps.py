"""Which Celery app a test's process has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery, _state


@contextmanager
def own_celery_apps() -> Iterator[Callable[..., Celery]]:
    """No app at all, whatever other tests have imported; yields a function that makes one the current app."""
    former, made = (_state.default_app, _state._tls.current_app), []
    _state.default_app = _state._tls.current_app = None

    def make(broker: str, **conf: Any) -> Celery:
        made.append(Celery("mysite", broker=broker, changes=conf))
        return made[-1]

    try:
        yield make
    finally:
        _state.default_app, _state._tls.current_app = former
        for app in made:
            app.close()
            _state._deregister_app(app)
