"""What the doctor tries, from the settings to the page."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.checks import ERROR, run_checks
from django.db import DatabaseError
from django.template import TemplateDoesNotExist, TemplateSyntaxError, engines
from django.template.backends.django import DjangoTemplates
from django.urls import NoReverseMatch, reverse

from channels_progress.checks import TAG
from channels_progress.conf import get_namespace
from channels_progress.management.diagnosis import Doubt, NotUsed, Problem, Step
from channels_progress.management.journeys import try_channel_layer, try_hints, try_socket, try_store
from channels_progress.notifications.deliveries.sweeping import count_unswept

#: How long workers may take to answer.
WORKER_TIMEOUT_S = 1.0

DELIVER_DUE = """CELERY_BEAT_SCHEDULE = {"deliver-due": {"task": "channels_progress.deliver_due", "schedule": 60}}
python manage.py deliver_due --queue  # by cron, every minute, where there is no beat"""
STATIC_FILES = ("channels_progress/channels_progress.js", "channels_progress/channels_progress.css")
TEMPLATE = "channels_progress/task_progress.html"


def check_settings() -> str:
    """Our system checks."""
    found = [message for message in run_checks(tags=[TAG]) if not message.is_silenced()]
    messages = sorted(found, key=lambda message: message.level, reverse=True)
    if not messages:
        return f"all sound; namespace {get_namespace()!r}"
    finding = Problem if messages[0].level >= ERROR else Doubt
    raise finding(
        " ".join(f"({message.id}) {message.msg}" for message in messages),
        "\n".join(message.hint for message in messages if message.hint),
    )


def find_urls() -> str:
    """The page of a task has an address."""
    try:
        return reverse("channels_progress:task", args=["uid"]).replace("uid", "<uid>")
    except NoReverseMatch:
        raise Problem(
            "our urls are not included", 'path("tasks/", include("channels_progress.urls")),  # in urlpatterns'
        ) from None


def find_static_files() -> str:
    """The files can be found, and their addresses made: with a manifest that takes a ``collectstatic``."""
    if missing := [name for name in STATIC_FILES if finders.find(name) is None]:
        raise Problem(
            f"not found: {', '.join(missing)}",
            'STATICFILES_FINDERS must hold "django.contrib.staticfiles.finders.AppDirectoriesFinder".',
        )
    try:
        return ", ".join(map(staticfiles_storage.url, STATIC_FILES))
    except ValueError as error:
        raise Problem(str(error), "python manage.py collectstatic") from error


def load_templates() -> str:
    """The tags and our templates can be loaded."""
    backends = [engine for engine in engines.all() if isinstance(engine, DjangoTemplates)]
    if not backends:
        raise NotUsed("no DjangoTemplates in TEMPLATES; task_context() serves other engines")
    try:
        backends[0].from_string("{% load channels_progress %}")
        backends[0].get_template(TEMPLATE)
    except (TemplateDoesNotExist, TemplateSyntaxError) as error:
        raise Problem(
            f"{type(error).__name__}: {error}", 'TEMPLATES = [{…, "APP_DIRS": True}]  # or our app in its loaders'
        ) from error
    return "{% load channels_progress %}"


def find_celery_app() -> str:
    """The project's own Celery app is what tasks are sent with."""
    if find_spec("celery") is None:
        raise NotUsed("Celery is not installed")
    probe = _get_probe()
    configuration = probe.read_configuration()
    if configuration is None:
        raise Problem(
            "this process has no Celery app: tasks would go to a broker that nobody has named",
            "from mysite.celery import app as celery_app  # in mysite/__init__.py; or run with --skip celery",
        )
    names = probe.list_broadcast_tasks()
    described = f"{configuration.main}, broker {configuration.broker}"
    if not names:
        raise Doubt(f"{described}; it has no @broadcast_task", "@broadcast_task  # above a function in a tasks.py")
    return f"{described}; tasks: {', '.join(names)}"


def ask_workers() -> str:
    """A worker answers, and knows our tasks."""
    probe = _get_probe()
    if probe.read_configuration().always_eager:
        raise NotUsed("tasks run in the calling process (task_always_eager)")
    try:
        workers: dict[str, set[str]] = probe.ask_workers(timeout_s=WORKER_TIMEOUT_S)
    except Exception as error:
        # Each of Celery's transports raises errors of its own.
        raise Problem(
            f"the broker does not answer: {type(error).__name__}: {error}",
            'CELERY_BROKER_URL = "redis://localhost:6379/0"',
        ) from error
    if not workers:
        raise Problem(f"no worker answered within {WORKER_TIMEOUT_S:g} s", "celery -A mysite worker")
    if unknown := set(probe.list_broadcast_tasks()).difference(*workers.values()):
        raise Problem(
            f"{', '.join(sorted(workers))} answered, but without {', '.join(sorted(unknown))}",
            "Restart the workers: they run other code than this process.",
        )
    return ", ".join(sorted(workers))


def look_for_late_deliveries() -> str:
    """Somebody runs the periodic task: without it, what is due late, or was lost, is never sent."""
    try:
        late = count_unswept()
    except DatabaseError:
        raise NotUsed("no tables of the inbox: they come with manage.py migrate") from None
    if late:
        raise Doubt(f"{late} deliveries of notifications wait, and nobody runs the periodic task", DELIVER_DUE)
    return "no notification waits for long"


def _get_probe() -> Any:
    # By name, because the tasks package needs Celery, which a project may not have.
    return import_module("channels_progress.tasks.probe")


STEPS = (
    Step("settings", check_settings),
    Step("store", try_store),
    Step("hints", try_hints, needs=("store",)),
    Step("layer", try_channel_layer),
    Step("urls", find_urls),
    Step("socket", try_socket, needs=("store", "hints")),
    Step("celery", find_celery_app),
    Step("worker", ask_workers, needs=("celery",)),
    Step("static", find_static_files),
    Step("templates", load_templates),
    Step("delivery", look_for_late_deliveries),
)
