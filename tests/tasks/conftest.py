"""A Celery app of the test's own, that runs tasks eagerly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery, _state


@pytest.fixture
def app() -> Iterator[Celery]:
    """The current app during the test; ``delay()`` runs the task at once, as in a project's own tests."""
    former, finalizers = _state._tls.current_app, set(_state._on_app_finalizers)
    app = Celery("tests", broker="memory://", backend="cache+memory://")
    app.conf.update(task_always_eager=True, task_eager_propagates=False)
    app.finalize()
    yield app
    app.close()
    _state._tls.current_app = former
    # Shared tasks made inside a test would be registered in the apps of all later tests.
    _state._on_app_finalizers.intersection_update(finalizers)


@pytest.fixture
def queued(app: Celery) -> Celery:
    """The same, but messages go to an in-memory broker, where nobody takes them."""
    app.conf.task_always_eager = False
    return app
