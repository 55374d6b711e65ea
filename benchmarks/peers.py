"""What one report costs a task with other packages, with what they build on, and with this one.

    pip install --group bench && python benchmarks/peers.py [redis://…]

Without a URL it starts an embedded server, for the broker's part, the channel layers and the store alike. Every rival
reports every step of the same loop, turn by turn in this one process; the result backends are asked as from inside
a task. The best turn counts. Connections: how many TCP connections to Redis one report opens.
"""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import django
import redis
from asgiref.sync import async_to_sync
from celery import Celery
from django.conf import settings
from django.core.management import call_command

from channels_progress.conf import redis_channel_layers
from example_project.embedded_redis import run_embedded_redis

STEPS, TURNS = 200, 7
Report = Callable[[int, int], object]


def configure(url: str, folder: str) -> None:
    core = {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [url], "capacity": 10**6}}
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "channels_progress", "django_celery_results"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/db.sqlite3"}},
        CHANNEL_LAYERS={**redis_channel_layers(url), "core": core},
        CHANNELS_PROGRESS={"STORE": url},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0)


@contextmanager
def reporting() -> Iterator[Any]:
    """Our reporter, in the hands of this process's flusher."""
    from channels_progress.records import TaskState
    from channels_progress.tasks.flusher import get_flusher
    from channels_progress.tasks.reporter import TaskReporter

    reporter = TaskReporter(str(uuid.uuid4()), delivery=uuid.uuid4().hex, owner="user:1")
    get_flusher().start(reporter)
    yield reporter
    get_flusher().finish(reporter, TaskState.SUCCESS)


def make_task(backend: str) -> Any:
    """A task that is running, as far as its result backend can see."""
    app = Celery("peers", broker="memory://", backend=backend, set_as_current=False)
    app.conf.result_extended = True

    @app.task(bind=True)
    def run(self: Any) -> None:
        """Never called: only its backend is."""

    task: Any = run
    task.push_request(id=str(uuid.uuid4()))
    return task


def update_state(task: Any, current: int, total: int) -> None:
    task.update_state(state="PROGRESS", meta={"current": current, "total": total})


def group_send(alias: str) -> Report:
    from channels.layers import get_channel_layer

    send = async_to_sync(get_channel_layer(alias).group_send)

    def report(current: int, total: int) -> None:
        send("peers", {"type": "task.progress", "current": current, "total": total})

    return report


def flush_each(reporter: Any) -> Report:
    def report(current: int, total: int) -> None:
        reporter.progress(current, total)
        reporter.flush()

    return report


def find_celery_progress(url: str) -> dict[str, Report]:
    from celery_progress.backend import ProgressRecorder

    return {
        "celery-progress, Redis": ProgressRecorder(make_task(url)).set_progress,
        "celery-progress, django-db": ProgressRecorder(make_task("django-db")).set_progress,
    }


def find_channels_broadcast(url: str) -> dict[str, Report]:
    from channels_broadcast.api import progress_channel

    def report(current: int, total: int) -> None:
        progress_channel("peers", 100 * current // total)

    return {"django-channels-broadcast": report}


def find_rivals(url: str, reporter: Any, flushing: Any) -> dict[str, Report]:
    rivals = {
        "reporter.progress": reporter.progress,
        "the same, flushed each time": flush_each(flushing),
        "update_state, Redis": partial(update_state, make_task(url)),
        "update_state, django-db": partial(update_state, make_task("django-db")),
        "async_to_sync(group_send), pub/sub layer": group_send("default"),
        "async_to_sync(group_send), core layer": group_send("core"),
    }
    for find in (find_celery_progress, find_channels_broadcast):
        try:
            rivals |= find(url)
        except ModuleNotFoundError as error:
            print(f"  ({error.name} is not installed: pip install --group bench)")
    return rivals


def take_time(report: Report) -> float:
    """Seconds a report."""
    start = time.perf_counter()
    for number in range(1, STEPS + 1):
        report(number, STEPS)
    return (time.perf_counter() - start) / STEPS


def compare(url: str) -> None:
    with redis.Redis.from_url(url) as client, reporting() as reporter, reporting() as flushing:
        rivals = find_rivals(url, reporter, flushing)
        best, opened = dict.fromkeys(rivals, float("inf")), dict.fromkeys(rivals, 0)
        for _ in range(TURNS):
            for name, report in rivals.items():
                before = client.info("stats")["total_connections_received"]
                best[name] = min(best[name], take_time(report))
                opened[name] = client.info("stats")["total_connections_received"] - before
    ours = best["reporter.progress"]
    print(f"\nOne report ({TURNS} turns of {STEPS} steps, best turn)")
    for name, took in sorted(best.items(), key=lambda item: item[1]):
        connections = opened[name] / STEPS
        print(f"  {name:42} {took * 1e6:9.2f} us  {took / ours:9.1f} x  {connections:4.1f} connections")


def main() -> None:
    server = nullcontext(sys.argv[1]) if len(sys.argv) > 1 else embedded_url()
    with server as url, tempfile.TemporaryDirectory() as folder:
        configure(url, folder)
        compare(url)


@contextmanager
def embedded_url() -> Iterator[str]:
    with run_embedded_redis() as server:
        yield server.url


if __name__ == "__main__":
    main()
