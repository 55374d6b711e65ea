"""Everything that runs: broker, store, two workers, the site, and a proxy between site and store."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import redis

from benchmarks.chaos.faults import Faults
from benchmarks.chaos.hints import mangling
from example_project.embedded_redis import find_free_port, find_server_binary, run_embedded_redis
from tests.live.rig import Rig, ServerProcess

CONCURRENCY = 3
PROGRESS = {"REPORT_INTERVAL_S": 0.05, "HEARTBEAT_S": 0.5, "STALLED_AFTER_S": 3, "LOST_AFTER_S": 8, "RESYNC_S": 2}
CELERY = {"imports": ["benchmarks.chaos.tasks"], "broker_transport_options": {"visibility_timeout": 5}}


class Site:
    """Started with its making; ends with ``stack``.

    Attributes:
        rig: What this process joins.
        proxy: Between the server and the store.
        faults: Break all of it but the broker.
    """

    def __init__(self, seed: int, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._broker_url = stack.enter_context(run_embedded_redis()).url
        self.store_port = find_free_port()
        self.proxy = stack.enter_context(mangling(self.store_port, seed))
        self.rig = self._make_rig(self.store_port)
        store = self._make_store()
        stack.callback(store.close)
        store.start()
        names = ("one", "two")
        self.workers = [stack.enter_context(self.rig.run_worker(name=name, concurrency=CONCURRENCY)) for name in names]
        self._fresh_bytes = min(self._measure_children())
        behind = self._make_rig(self.proxy.port, namespace=self.rig.namespace)
        self.server = stack.enter_context(behind.run_site())
        self.faults = Faults(seed, self.workers, self.server, store)

    def _make_rig(self, store_port: int, **options: Any) -> Rig:
        return Rig(
            folder=self._folder,
            broker_url=self._broker_url,
            result_backend=self._broker_url,
            progress={**PROGRESS, "STORE": f"redis://127.0.0.1:{store_port}/0"},
            celery=CELERY,
            **options,
        )

    def _make_store(self) -> ServerProcess:
        """What it has answered is in its file: a killed one comes back with all of it."""
        options = {"port": self.store_port, "bind": "127.0.0.1", "dir": self._folder, "save": "", "appendonly": "yes"}
        arguments = [part for key, value in options.items() for part in (f"--{key}", str(value))]
        return ServerProcess(
            [find_server_binary(), *arguments],
            log_path=self._folder / "store.log",
            env={},
            is_ready=lambda log: "Ready to accept" in log,
        )

    def count_messages(self) -> int:
        """Messages that the broker still has, or waits for a worker to acknowledge."""
        prefix = self.rig.namespace
        with redis.Redis.from_url(self._broker_url) as client:
            return int(client.llen(f"{prefix}:celery")) + int(client.hlen(f"{prefix}:unacked"))

    def measure_server(self) -> int:
        """Resident bytes of the server process."""
        return int(psutil.Process(self.server.pid).memory_info().rss)

    def measure_growth(self) -> int:
        """Resident bytes of the largest pool process, above those of the smallest at the start."""
        return max(self._measure_children()) - self._fresh_bytes

    def _measure_children(self) -> list[int]:
        pids = [pid for worker in self.workers for pid in worker.find_tree()[1:]]
        return [int(psutil.Process(pid).memory_info().rss) for pid in pids]
