"""The whole example site as processes: Redis, database, a prefork worker, an ASGI server.

``make demo``, ``make demo-check`` and the live tests all run this one. Nothing of it outlives its starter.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from celery import Celery

from example_project.embedded_redis import find_free_port, run_embedded_redis
from example_project.leash import Leashed

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
READY_WITHIN_S = 60.0
LOOK_AGAIN_S = 0.05
LOG_LINES_SHOWN = 40


class StackFailed(RuntimeError):
    """A process did not start or has ended; the text carries the end of its log."""


@dataclass(slots=True)
class Stack:
    """One site; start and stop it with ``run_stack``.

    Attributes:
        folder: Database, static files, logs.
        redis_url: Broker, channel layer and store.
        namespace: Keeps this site's queue, keys and groups apart from other sites on the same Redis.
        port: Where the site listens on 127.0.0.1.
        concurrency: Worker processes.
        log_level: Of everything but the ASGI server's own lines.
        env: Environment of all processes.
        processes: The running ones by name: ``worker``, ``site``.
    """

    folder: Path
    redis_url: str
    namespace: str
    port: int
    concurrency: int = 4
    log_level: str = "INFO"
    env: Mapping[str, str] = field(default_factory=dict)
    processes: dict[str, Leashed] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The site's address, without a slash at the end."""
        return f"http://{HOST}:{self.port}"

    @property
    def worker_name(self) -> str:
        """The worker's node name."""
        return f"{self.namespace}@{HOST}"

    def log_path(self, name: str) -> Path:
        """Where ``worker``, ``site`` or a management command logs."""
        return self.folder / "logs" / f"{name}.log"

    def start(self) -> None:
        """Prepare the database, start worker and site, and wait until both answer.

        Raises:
            StackFailed: one of them does not.
        """
        self.manage("prepare_site")
        self.start_worker()
        self.start_site()
        self._wait_for("site", self._site_answers)
        self._wait_for("worker", self._worker_answers)

    def start_worker(self) -> None:
        """Start the prefork worker, without waiting for it."""
        self._start(
            "worker", "celery", "--app", "example_project.config", "worker", "--pool", "prefork",
            "--concurrency", str(self.concurrency), "--hostname", self.worker_name, "--loglevel", self.log_level,
            "--without-gossip", "--without-mingle",
        )  # fmt: skip

    def start_site(self) -> None:
        """Start the ASGI server, without waiting for it."""
        # Browsers offer permessage-deflate, which costs a multiple of memory and CPU for frames this small.
        self._start(
            "site", "uvicorn", "example_project.config.asgi:application", "--host", HOST, "--port", str(self.port),
            "--ws-per-message-deflate", "false", "--lifespan", "off", "--timeout-graceful-shutdown", "2",
        )  # fmt: skip

    def stop(self) -> None:
        """End both processes with all their children."""
        for process in self.processes.values():
            process.let_go()
        while self.processes:
            self.processes.popitem()[1].stop()

    def manage(self, *arguments: str) -> str:
        """Run a management command and return what it printed.

        Raises:
            StackFailed: it failed; the text carries what it printed.
        """
        path = self.log_path(arguments[0])
        with path.open("wb") as log:
            status = self._run(log, "example_project.manage", *arguments).wait()
        if status:
            raise StackFailed(f"manage.py {' '.join(arguments)} ended with status {status}.\n{self.tail(arguments[0])}")
        return path.read_text()

    def check(self) -> None:
        """Raise ``StackFailed`` where a process has ended by itself."""
        for name, leashed in self.processes.items():
            if (status := leashed.process.poll()) is not None:
                raise StackFailed(f"{name} ended with status {status}.\n{self.tail(name)}")

    def tail(self, name: str) -> str:
        """The last lines of a log."""
        lines = self.log_path(name).read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        return f"--- {self.log_path(name)}\n" + "\n".join(lines)

    def _start(self, name: str, module: str, *arguments: str) -> None:
        with self.log_path(name).open("ab") as log:
            self.processes[name] = self._run(log, module, *arguments)

    def _run(self, log: IO[bytes], module: str, *arguments: str) -> Leashed:
        return Leashed([sys.executable, "-m", module, *arguments], log=log, env=self.env, cwd=ROOT)

    def _wait_for(self, name: str, answers: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not answers():
            self.check()
            if time.monotonic() > deadline:
                raise StackFailed(f"{name} does not answer within {READY_WITHIN_S:.0f} s.\n{self.tail(name)}")
            time.sleep(LOOK_AGAIN_S)

    def _site_answers(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            answer = get_json(f"{self.url}/ready/")
            # Another site may have taken the port in between.
            return bool(answer == {"namespace": self.namespace})
        return False

    def _worker_answers(self) -> bool:
        with Celery(broker=self.redis_url, set_as_current=False) as app:
            return bool(app.control.ping(destination=[self.worker_name], timeout=0.5))


def get_json(url: str) -> Any:
    """What a GET without proxies answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as response:
        return json.load(response)


@contextlib.contextmanager
def run_stack(
    folder: Path,
    *,
    port: int | None = None,
    concurrency: int = 4,
    redis_url: str | None = None,
    log_level: str = "INFO",
) -> Iterator[Stack]:
    """A started site for the time of a ``with`` block.

    Args:
        folder: Database, static files and logs; made where it is missing.
        port: None takes a free one.
        redis_url: None takes ``REDIS_URL``, or starts a server of our own.
        log_level: See ``Stack``.
    """
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as cleanup:
        redis_url = redis_url or os.environ.get("REDIS_URL") or cleanup.enter_context(run_embedded_redis()).url
        stack = Stack(
            folder=folder,
            redis_url=redis_url,
            # The same at every start, so that a browser stays logged in.
            namespace=f"example-{hashlib.sha256(bytes(folder.resolve())).hexdigest()[:8]}",
            port=port or find_free_port(),
            concurrency=concurrency,
            log_level=log_level,
        )
        stack.env = _environment(stack)
        cleanup.callback(stack.stop)
        stack.start()
        yield stack


def _environment(stack: Stack) -> dict[str, str]:
    ours = {
        "REDIS_URL": stack.redis_url,
        "EXAMPLE_FOLDER": str(stack.folder),
        "EXAMPLE_NAMESPACE": stack.namespace,
        "EXAMPLE_URL": stack.url,
        "EXAMPLE_LOG_LEVEL": stack.log_level,
        "EXAMPLE_SECRET_KEY": _read_secret_key(stack.folder / "secret_key"),
        "DJANGO_SETTINGS_MODULE": "example_project.config.settings",
        "PYTHONUNBUFFERED": "1",
    }
    return {**os.environ, **ours}


def _read_secret_key(path: Path) -> str:
    with contextlib.suppress(FileExistsError):
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()
