"""What pytest-celery's nodes ask of a Docker container, answered by a process of the fault rig."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from signal import Signals

from example_project.embedded_redis import RedisServerNotFound, find_free_port, find_server_binary
from tests.live.rig import ServerProcess
from tests.services import lack

READY = "Ready to accept connections"


class ProcessContainer:
    """One server under the names of Docker's API, which ``CeleryTestNode`` calls.

    Attributes:
        name: Of the node in messages.
        celeryconfig: Where Celery finds it: ``url`` from other nodes, ``host_url`` from the test; none for workers.
    """

    def __init__(self, name: str, process: ServerProcess, url: str | None = None) -> None:
        self.name = name
        self.celeryconfig: Mapping[str, str] = {"url": url, "host_url": url} if url else {}
        self._process = process

    @property
    def id(self) -> str:
        """That of the main process, which is another one after a restart."""
        return str(self._process.pid)

    @property
    def status(self) -> str:
        """``running`` or ``exited``, as Docker says it."""
        return "running" if self._process.is_running else "exited"

    def ready(self) -> bool:
        """Wait until it serves.

        Raises:
            AssertionError: It has ended.
        """
        self._process.wait_until_ready()
        return True

    def reload(self) -> None:
        """Nothing here is a copy that could be old."""

    def logs(self) -> str:
        """What all its runs have written."""
        return self._process.log

    def kill(self, signal: str | int = "SIGKILL") -> None:
        """Kill it with all its children, or have it end by another signal; returns once it is gone."""
        number = Signals[signal] if isinstance(signal, str) else Signals(signal)
        if number == Signals.SIGKILL:
            self._process.kill()
        else:
            self._process.stop(number)

    def restart(self, timeout: float) -> None:
        """Start it, where it runs after its graceful end; the rig's own deadlines hold, not ``timeout``."""
        if self._process.is_running:
            self._process.stop()
        self._process.restart()

    def teardown(self) -> None:
        """Have it gone."""
        self._process.close()


@contextmanager
def run_redis(name: str, folder: Path) -> Iterator[ProcessContainer]:
    """A Redis that keeps its data: each write is on disk before it is answered, so that no kill can lose it."""
    try:
        binary = find_server_binary()
    except RedisServerNotFound as error:
        lack(str(error))
    data = folder / name
    data.mkdir()
    port = find_free_port()
    options = {"port": port, "bind": "127.0.0.1", "dir": data, "save": "", "appendonly": "yes", "appendfsync": "always"}
    command = [binary, *(part for key, value in options.items() for part in (f"--{key}", str(value)))]
    process = ServerProcess(command, log_path=folder / f"{name}.log", env=os.environ, is_ready=lambda log: READY in log)
    container = ProcessContainer(name, process, f"redis://127.0.0.1:{port}/0")
    try:
        process.start()
        yield container
    finally:
        container.teardown()
