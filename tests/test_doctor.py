"""``progress_doctor`` tries the real thing, and says what to write where it fails."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from channels.generic.websocket import AsyncWebsocketConsumer
from django.core.asgi import get_asgi_application
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections
from django.test import override_settings

from channels_progress.asgi import with_websockets
from channels_progress.conf import redis_channel_layers
from channels_progress.management import journeys, steps
from channels_progress.management.diagnosis import Outcome, Problem, Status, Step, diagnose
from channels_progress.store.memory import MemoryStore
from channels_progress.tasks import broadcast_task, probe
from example_project.embedded_redis import EmbeddedRedis
from tests.celery_apps import own_celery_apps

# The doctor's page loads a session and a user: connections that other tests left open are looked at.
pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parent.parent
# The discard protocol's port: reserved, and nobody listens.
DEAD_URL = "redis://:s3cret@127.0.0.1:9/0"
HERE = "tests.test_doctor"

application = with_websockets(get_asgi_application())
without_websockets = get_asgi_application()


class Stranger(AsyncWebsocketConsumer):
    """Accepts every socket, and says nothing."""


class Mute(AsyncWebsocketConsumer):
    """Knows our subprotocol, and nothing else."""

    async def connect(self) -> None:
        await self.accept(subprotocol="channels-progress")


class Forger(Mute):
    """Refuses what we signed."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send('{"type":"refused","v":1}')


class Closer(Mute):
    """Closes the socket when spoken to."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.close(4500)


stranger, mute, forger, closer = Stranger.as_asgi(), Mute.as_asgi(), Forger.as_asgi(), Closer.as_asgi()


async def refusing(scope: Any, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    await send({"type": "websocket.close", "code": 4403})


class DeafFeed:
    """A feed that never hears anything."""

    async def join(self, channel: str) -> None: ...

    async def run(self) -> None: ...

    async def close(self) -> None: ...


class DeafStore(MemoryStore):
    """Announces nothing."""

    def open_feed(self, *args: Any) -> Any:
        return DeafFeed()


class ForgetfulStore(MemoryStore):
    """Keeps nothing."""

    def read(self, *args: Any, **options: Any) -> None:
        return None


@pytest.fixture
def sound(redis_url: str) -> Iterator[dict[str, Any]]:
    """Settings of a project where everything works; yields them."""
    overrides = {
        "CHANNELS_PROGRESS": {"STORE": redis_url, "NAMESPACE": "doctor"},
        "CHANNEL_LAYERS": redis_channel_layers(redis_url, prefix="doctor"),
        "ASGI_APPLICATION": f"{HERE}.application",
        "ALLOWED_HOSTS": ["*", ".example.com"],
    }
    with override_settings(**overrides):
        yield overrides


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journeys, "PATIENCE_S", 2)


@pytest.fixture(autouse=True)
def celery_app() -> Iterator[Callable[..., Celery]]:
    with own_celery_apps() as make:
        yield make


def run(*names: str, **overrides: Any) -> Outcome:
    """The outcome of the last of these steps, the others having gone before."""
    chosen = [step for step in steps.STEPS if step.name in names]
    with override_settings(**overrides):
        *_, outcome = diagnose(chosen)
    assert outcome.name == names[-1]
    return outcome


def summarise(outcome: Outcome) -> tuple[str, str, str]:
    return outcome.status, outcome.detail, outcome.write


def test_everything_is_well_where_everything_works(sound: dict[str, Any]) -> None:
    out = StringIO()
    call_command("progress_doctor", "--json", "--skip", "celery", stdout=out)
    statuses = {outcome["name"]: outcome["status"] for outcome in json.loads(out.getvalue())}
    assert statuses == {
        "settings": "ok",
        "store": "ok",
        "hints": "ok",
        "layer": "ok",
        "urls": "ok",
        "socket": "ok",
        "celery": "skipped",
        "worker": "skipped",
        "static": "ok",
        "templates": "ok",
        "delivery": "ok",
    }


def test_outcomes_are_printed_one_a_line_with_what_to_write_below(sound: dict[str, Any]) -> None:
    out = StringIO()
    skipped = ["settings", "store", "layer", "celery", "static", "templates", "delivery"]
    with pytest.raises(CommandError, match=r"^1 of 11 steps failed: urls\.$"), override_settings(ROOT_URLCONF=HERE):
        call_command("progress_doctor", skip=skipped, stdout=out, no_color=True)
    assert out.getvalue().splitlines() == [
        "skipped  settings   as you asked",
        "skipped  store      as you asked",
        "skipped  hints      needs store",
        "skipped  layer      as you asked",
        "failed   urls       our urls are not included",
        '                    → path("tasks/", include("channels_progress.urls")),  # in urlpatterns',
        "skipped  socket     needs store, hints",
        "skipped  celery     as you asked",
        "skipped  worker     needs celery",
        "skipped  static     as you asked",
        "skipped  templates  as you asked",
        "skipped  delivery   as you asked",
    ]


urlpatterns: list[object] = []


def test_unknown_step_cannot_be_skipped() -> None:
    with pytest.raises(CommandError, match="invalid choice: 'celerie'"):
        call_command("progress_doctor", "--skip", "celerie")


def test_command_fails_for_the_shell_where_redis_is_away() -> None:
    command = [sys.executable, "-m", "example_project.manage", "progress_doctor", "--json", "--skip", "static"]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "example_project.config.settings", "REDIS_URL": DEAD_URL}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    statuses = {outcome["name"]: outcome["status"] for outcome in json.loads(done.stdout)}
    failed = [name for name, status in statuses.items() if status == "failed"]
    assert (done.returncode, failed, statuses["hints"]) == (1, ["store", "layer", "worker"], "skipped")
    assert "3 of 11 steps failed: store, layer, worker." in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def test_settings_are_checked(sound: dict[str, Any]) -> None:
    assert summarise(run("settings")) == ("ok", "all sound; namespace 'doctor'", "")
    warned = run("settings", ASGI_APPLICATION=None)
    assert warned.status == "warning"
    assert (warned.detail[:24], warned.write) == (
        "(channels_progress.W020)",
        'Write ASGI_APPLICATION = "mysite.asgi.application".',
    )
    failed = run("settings", CHANNELS_PROGRESS={"RESYNC": 1})
    assert summarise(failed) == (
        "failed",
        "(channels_progress.E002) CHANNELS_PROGRESS has an unknown key 'RESYNC'.",
        'Did you mean "RESYNC_S"?',
    )
    silenced = run("settings", ASGI_APPLICATION=None, SILENCED_SYSTEM_CHECKS=["channels_progress.W020"])
    assert silenced.status == "ok"


def test_store_that_is_away_fails_with_what_to_start_or_to_write(sound: dict[str, Any]) -> None:
    outcome = run("store", CHANNELS_PROGRESS={"STORE": DEAD_URL})
    assert (outcome.status, outcome.write) == ("failed", f"{journeys.START_LINE}\n{journeys.STORE_LINE}")
    assert outcome.detail.startswith("no answer within 0.5 s (STORE_TIMEOUT_S): Error 111")


def test_frozen_store_fails_in_bounded_time(own_redis: EmbeddedRedis) -> None:
    own_redis.pause()
    began = time.monotonic()
    with override_settings(CHANNELS_PROGRESS={"STORE": own_redis.url, "STORE_TIMEOUT_S": 0.1}):
        assert [outcome.status for outcome in diagnose(steps.STEPS[1:3])] == ["failed", "skipped"]
    # Not until it thaws.
    assert time.monotonic() - began < 20
    own_redis.resume()


def test_store_of_this_process_only_is_doubted() -> None:
    outcome = run("store", CHANNELS_PROGRESS={"STORE": "memory"})
    assert (outcome.status, outcome.write) == ("warning", journeys.STORE_LINE)
    assert outcome.detail.endswith("; in this process only: no page sees what a worker reports")


def test_store_that_is_not_configured_fails_with_the_line_to_write() -> None:
    outcome = run("store", CHANNELS_PROGRESS={"STORE": "database:other"})
    assert (outcome.status, outcome.write) == ("failed", journeys.STORE_LINE)
    assert "DATABASES does not have" in outcome.detail


def test_database_store_without_tables_fails_with_what_to_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, django_db_blocker: Any
) -> None:
    file = {**connections.settings["default"], "NAME": tmp_path / "progress.sqlite3"}
    monkeypatch.setitem(connections.settings, "progress", file)
    with django_db_blocker.unblock():
        outcome = run("store", CHANNELS_PROGRESS={"STORE": "database:progress", "STORE_TIMEOUT_S": 15})
    assert (outcome.status, outcome.write) == ("failed", journeys.MIGRATE_LINE.format(alias="progress"))
    assert outcome.detail == (
        "The database failed with OperationalError: its tables are missing. "
        "Run manage.py migrate channels_progress --database progress."
    )


def test_store_that_forgets_fails() -> None:
    outcome = run("store", CHANNELS_PROGRESS={"STORE": ForgetfulStore})
    assert (outcome.status, outcome.detail) == ("failed", "it answers, but does not keep what is written")


def test_hints_that_do_not_arrive_fail(impatient: None) -> None:
    outcome = run("hints", CHANNELS_PROGRESS={"STORE": DeafStore})
    assert (outcome.status, outcome.detail) == ("failed", "nothing arrived within 2 s, although the write was taken")


def test_channel_layer_is_tried(sound: dict[str, Any]) -> None:
    assert run("layer").status == "ok"
    assert summarise(run("layer", CHANNEL_LAYERS={}))[:2] == (
        "skipped",
        "CHANNEL_LAYERS has no default; task progress does not need it",
    )
    dead = run("layer", CHANNEL_LAYERS=redis_channel_layers(DEAD_URL))
    assert (dead.status, dead.write) == ("failed", journeys.LAYER_LINE)
    assert dead.detail.startswith("ConnectionError: Error 111")


def test_urls_are_found() -> None:
    assert summarise(run("urls")) == ("ok", "/tasks/<uid>/", "")


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("without_websockets", "the ASGI application has no such route (ValueError: Django can only handle ASGI/HTTP"),
        ("refusing", "the ASGI application refuses the socket of the site's own page"),
        ("stranger", "somebody else answers at /asgi/notifications/"),
        ("closer", "the socket was closed (4500)"),
        ("forger", "the socket refuses a token that this process signed"),
        ("missing", "Cannot find 'missing' in ASGI_APPLICATION module tests.test_doctor"),
    ],
)
def test_application_that_shows_no_task_fails(name: str, detail: str, sound: dict[str, Any]) -> None:
    outcome = run("socket", ASGI_APPLICATION=f"{HERE}.{name}")
    assert outcome.status == "failed"
    assert outcome.detail.startswith(detail)
    assert outcome.write


def test_application_that_says_nothing_fails(sound: dict[str, Any], impatient: None) -> None:
    outcome = run("socket", ASGI_APPLICATION=f"{HERE}.mute")
    assert (outcome.status, outcome.detail) == ("failed", "the socket opened, but showed nothing within 2 s")


def test_socket_is_found_at_its_path(sound: dict[str, Any]) -> None:
    outcome = run("socket", CHANNELS_PROGRESS={**sound["CHANNELS_PROGRESS"], "SOCKET_PATH": "ws/x"})
    assert (outcome.status, outcome.detail[:22]) == ("ok", "/ws/x showed the end a")


def test_static_files_are_found(tmp_path: Path) -> None:
    assert run("static").detail == ", ".join(f"/static/{name}" for name in steps.STATIC_FILES)
    lost = run("static", STATICFILES_FINDERS=[])
    assert (lost.status, lost.detail) == ("failed", f"not found: {', '.join(steps.STATIC_FILES)}")
    manifest = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}}
    uncollected = run("static", STORAGES=manifest, STATIC_ROOT=tmp_path)
    assert (uncollected.status, uncollected.write) == ("failed", "python manage.py collectstatic")


def test_deliveries_that_nobody_asks_for_are_a_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    assert summarise(run("delivery")) == ("ok", "no notification waits for long", "")
    monkeypatch.setattr(steps, "count_unswept", lambda: 3)
    late = "3 deliveries of notifications wait, and nobody runs the periodic task"
    assert summarise(run("delivery")) == ("warning", late, steps.DELIVER_DUE)


def test_project_without_the_tables_has_no_deliveries(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise OperationalError("no such table")

    monkeypatch.setattr(steps, "count_unswept", fail)
    assert run("delivery").status == "skipped"


def test_templates_are_loaded(settings: Any) -> None:
    assert run("templates").status == "ok"
    without_ours = run("templates", TEMPLATES=[{**settings.TEMPLATES[0], "APP_DIRS": False}])
    assert (without_ours.status, without_ours.detail) == ("failed", f"TemplateDoesNotExist: {steps.TEMPLATE}")
    assert run("templates", TEMPLATES=[]).status == "skipped"


def test_project_without_celery_is_told_that_it_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "find_spec", lambda name: None)
    assert summarise(run("celery")) == ("skipped", "Celery is not installed", "")
    assert summarise(run("celery", "worker"))[:2] == ("skipped", "needs celery")


def test_project_without_a_celery_app_fails() -> None:
    outcome = run("celery")
    assert (outcome.status, outcome.write.partition(";")[0]) == (
        "failed",
        "from mysite.celery import app as celery_app  # in mysite/__init__.py",
    )


def test_celery_app_is_described_without_password(
    celery_app: Callable[..., Celery], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = celery_app(DEAD_URL)

    @broadcast_task(app=app, name="doctor.import_cities")
    def import_cities(reporter: Any) -> None: ...

    outcome = run("celery")
    assert outcome.status == "ok"
    assert re.fullmatch(r"mysite, broker redis://\*\*@127\.0\.0\.1:9/0; tasks: .*import_cities.*", outcome.detail)
    monkeypatch.setattr(probe, "list_broadcast_tasks", list)
    assert summarise(run("celery")) == (
        "warning",
        "mysite, broker redis://**@127.0.0.1:9/0; it has no @broadcast_task",
        "@broadcast_task  # above a function in a tasks.py",
    )


def test_eager_tasks_need_no_worker(celery_app: Callable[..., Celery]) -> None:
    celery_app(DEAD_URL, task_always_eager=True)
    assert run("celery", "worker").detail == "tasks run in the calling process (task_always_eager)"


def test_broker_that_is_away_fails(celery_app: Callable[..., Celery]) -> None:
    celery_app(DEAD_URL)
    outcome = run("celery", "worker")
    assert (outcome.status, outcome.write) == ("failed", 'CELERY_BROKER_URL = "redis://localhost:6379/0"')
    assert outcome.detail.startswith("the broker does not answer: OperationalError: Error 111")


def test_frozen_broker_fails_in_bounded_time(
    celery_app: Callable[..., Celery], own_redis: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "WORKER_TIMEOUT_S", 0.2)
    celery_app(own_redis.url)
    own_redis.pause()
    began = time.monotonic()
    outcome = run("celery", "worker")
    assert (outcome.status, outcome.detail) == (
        "failed",
        "the broker does not answer: ProbeTimeout: No answer within 2.2 s.",
    )
    assert time.monotonic() - began < 20
    own_redis.resume()


def test_missing_worker_fails(
    celery_app: Callable[..., Celery], own_redis: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "WORKER_TIMEOUT_S", 0.2)
    celery_app(own_redis.url)
    outcome = run("celery", "worker")
    assert summarise(outcome) == ("failed", "no worker answered within 0.2 s", "celery -A mysite worker")


def test_step_that_breaks_does_not_end_the_others_and_shows_no_password() -> None:
    def fail() -> str:
        raise OSError("cannot reach redis://alice:s3cret@host/0")

    outcomes = list(diagnose([Step("a", fail), Step("b", lambda: "fine"), Step("c", fail, needs=("a",))]))
    assert [summarise(outcome) for outcome in outcomes] == [
        (Status.FAILED, "OSError: cannot reach redis://**@host/0", ""),
        (Status.OK, "fine", ""),
        (Status.SKIPPED, "needs a", ""),
    ]
    assert all(outcome.took_ms >= 0 for outcome in outcomes)


def test_problem_carries_the_line_to_write() -> None:
    def fail() -> str:
        raise Problem("not there", "put it there")

    [outcome] = diagnose([Step("a", fail)])
    assert summarise(outcome) == (Status.FAILED, "not there", "put it there")
