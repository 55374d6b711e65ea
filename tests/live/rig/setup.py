"""What the processes of one rig share: where they find each other, and what they are called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from celery import Celery, _state
from django.test import override_settings

from tests.live.rig.app import configure
from tests.live.rig.gates import FOLDER_VARIABLE, open_gate
from tests.live.rig.processes import ROOT, ServerProcess
from tests.live.rig.site import APPLICATION, Site
from tests.settings import DATABASES

#: Where ``settings`` and ``app`` find what a rig says; JSON.
VARIABLE = "RIG"
DJANGO: dict[str, Any] = {
    "ALLOWED_HOSTS": ["127.0.0.1"],
    "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies",
}
COMMAND_WITHIN_S = 60
#: What no process can change while it runs.
NOT_HERE = {"INSTALLED_APPS"}


@dataclass(frozen=True, kw_only=True)
class Rig:
    """One site with its workers, of which none runs yet.

    Attributes:
        folder: For logs, gates and whatever else; the test's own.
        broker_url: Redis, shared with others or not, or RabbitMQ.
        result_backend: None: results are not kept.
        progress: ``CHANNELS_PROGRESS``; a ``NAMESPACE`` is added.
        django: More Django settings, as JSON can say them.
        databases: ``DATABASES`` of the processes besides the default one; this side may know them some other way.
        celery: More Celery settings, as JSON can say them.
        celery_here: Those that are different on this side, which sends.
        env: More environment variables.
        interpreter: Python and its options; that of another virtual environment, perhaps.
        namespace: Keeps this rig's keys and queues apart from all others.
    """

    folder: Path
    broker_url: str
    result_backend: str | None = None
    progress: Mapping[str, Any] = field(default_factory=dict)
    django: Mapping[str, Any] = field(default_factory=dict)
    databases: Mapping[str, Any] = field(default_factory=dict)
    celery: Mapping[str, Any] = field(default_factory=dict)
    celery_here: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    interpreter: Sequence[str] = (sys.executable,)
    namespace: str = field(default_factory=lambda: f"rig-{uuid.uuid4().hex[:8]}")

    @cached_property
    def app(self) -> Celery:
        """The Celery app on this side, which sends."""
        return self.make_app()

    def make_app(self) -> Celery:
        """One more app on this side, such as one with tasks that no worker knows."""
        app = Celery(self.namespace, set_as_current=False)
        configure(app, {**self._celery_settings, **self.celery_here}, self.namespace)
        return app

    @contextmanager
    def joined(self) -> Iterator[Celery]:
        """This process has the same Celery app, store and tokens inside."""
        former = _state._tls.current_app
        here = {key: value for key, value in self._django_settings.items() if key not in NOT_HERE}
        with override_settings(**here):
            self.app.set_current()
            try:
                yield self.app
            finally:
                _state._tls.current_app = former
                _leave_result_backend(self.app)

    @contextmanager
    def run_worker(
        self, *options: str, pool: str = "prefork", concurrency: int = 2, name: str = "worker", wait: bool = True
    ) -> Iterator[ServerProcess]:
        """A running worker.

        Args:
            options: More of ``celery worker``'s.
            name: Of its log, and of its node where there are several.
            wait: False where it cannot reach its broker yet.
        """
        arguments = ["-A", "tests.live.rig.app", "worker", "-P", pool, "-c", str(concurrency), "-l", "INFO"]
        arguments += ["--without-gossip", "--without-mingle", *options]
        if name != "worker":
            arguments += ["-n", f"{name}@%h"]
        worker = self.make_process(name, "celery", *arguments, is_ready=lambda log: " ready." in log)
        with _closing(worker):
            worker.start(wait=wait)
            yield worker

    @contextmanager
    def run_site(
        self, kind: str = "uvicorn", *options: str, name: str = "site", application: str = APPLICATION
    ) -> Iterator[Site]:
        """A running ASGI server, ``uvicorn`` or ``daphne``. It keeps its port when it is started again."""
        with _closing(Site(self, kind, options, name, application)) as site:
            site.start()
            yield site

    def manage(self, *arguments: str) -> str:
        """Run a management command of the rig's site; what it prints. It has to succeed."""
        command = [*self.interpreter, "-m", "django", *arguments]
        done = subprocess.run(
            command,
            env=self.make_env(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=COMMAND_WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def make_process(self, name: str, module: str, *arguments: str, is_ready: Any) -> ServerProcess:
        """``python -m module …`` with this rig's environment, not started yet."""
        command = [*self.interpreter, "-m", module, *arguments]
        return ServerProcess(command, log_path=self.folder / f"{name}.log", env=self.make_env(), is_ready=is_ready)

    def make_env(self) -> dict[str, str]:
        """The environment of all processes."""
        django = {**self._django_settings, "DATABASES": {**DATABASES, **self.databases}}
        said = {"django": django, "celery": self._celery_settings, "namespace": self.namespace}
        ours = {
            VARIABLE: json.dumps(said),
            FOLDER_VARIABLE: str(self.folder),
            "DJANGO_SETTINGS_MODULE": "tests.live.rig.settings",
            "PYTHONUNBUFFERED": "1",
        }
        return {**os.environ, **ours, **self.env}

    def open_gate(self, gate: str) -> None:
        """Let all tasks go on that wait at this gate (``gates.wait_at``)."""
        open_gate(self.folder, gate)

    @property
    def _django_settings(self) -> dict[str, Any]:
        return {**DJANGO, **self.django, "CHANNELS_PROGRESS": {"NAMESPACE": self.namespace, **self.progress}}

    @property
    def _celery_settings(self) -> dict[str, Any]:
        return {"broker_url": self.broker_url, "result_backend": self.result_backend, **self.celery}


@contextmanager
def _closing(process: Any) -> Iterator[Any]:
    try:
        yield process
    finally:
        process.close()


def _leave_result_backend(app: Celery) -> None:
    """Handles that a failed test's traceback keeps alive would unsubscribe after Redis has gone, and raise."""
    results = getattr(app.backend, "result_consumer", None)
    if hasattr(results, "_pubsub"):
        results.stop()
        results._pubsub = None
