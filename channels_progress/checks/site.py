"""Checks of the project around us: server, urls, middleware, static files."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Warning  # noqa: A004  Django's name for it
from django.core.management import get_commands
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

SESSION_MIDDLEWARE = "django.contrib.sessions.middleware.SessionMiddleware"
AUTH_MIDDLEWARE = "django.contrib.auth.middleware.AuthenticationMiddleware"
WSGI_RUNSERVERS = frozenset({"django.core", "django.contrib.staticfiles"})


def check_site() -> Iterator[CheckMessage]:
    """Whether pages, sockets and static files can be served, and viewers be known."""
    yield from _check_server()
    yield from _check_urls()
    yield from _check_middleware()
    if not (apps.is_installed("django.contrib.staticfiles") and settings.STATIC_URL):
        yield Warning(
            "Static files are not set up: pages get neither our JavaScript nor our style sheet.",
            hint='Add "django.contrib.staticfiles" to INSTALLED_APPS and write STATIC_URL = "static/".',
            id="channels_progress.W025",
        )


def _check_server() -> Iterator[CheckMessage]:
    if not getattr(settings, "ASGI_APPLICATION", None):
        yield Warning(
            "ASGI_APPLICATION is not set: no server can find the WebSocket endpoint by it.",
            hint='Write ASGI_APPLICATION = "mysite.asgi.application".',
            id="channels_progress.W020",
        )
    # Of two apps that bring a command the one named first wins, so this sees a daphne named too late as well.
    if settings.DEBUG and get_commands()["runserver"] in WSGI_RUNSERVERS:
        yield Warning(
            "manage.py runserver speaks WSGI here: pages cannot open a WebSocket and will only poll.",
            hint='Write INSTALLED_APPS = ["daphne", …], before "django.contrib.staticfiles", and '
            'pip install "channels-progress[daphne]".',
            id="channels_progress.W021",
        )


def _check_urls() -> Iterator[CheckMessage]:
    if not getattr(settings, "ROOT_URLCONF", None):
        return
    try:
        reverse("channels_progress:task", args=["uid"])
    except NoReverseMatch:
        yield Warning(
            "Our urls are not included: tasks have no page, and pages cannot cancel or fall back to polling.",
            hint='Add path("tasks/", include("channels_progress.urls")) to urlpatterns.',
            id="channels_progress.W022",
        )


def _check_middleware() -> Iterator[CheckMessage]:
    if not _has_middleware(SESSION_MIDDLEWARE):
        yield Warning(
            "There is no session middleware: nobody can be recognised as the owner of a task.",
            hint=f'Add "{SESSION_MIDDLEWARE}" to MIDDLEWARE, and "django.contrib.sessions" to INSTALLED_APPS.',
            id="channels_progress.W023",
        )
    if not _has_middleware(AUTH_MIDDLEWARE):
        yield Warning(
            "There is no authentication middleware: tasks belong to anonymous sessions only.",
            hint=f'Add "{AUTH_MIDDLEWARE}" to MIDDLEWARE, after the session middleware.',
            id="channels_progress.W024",
        )


def _has_middleware(wanted_path: str) -> bool:
    """Whether it, or a subclass of it, is installed; a project's own may do the same work under any name."""
    return wanted_path in settings.MIDDLEWARE or any(_is_subclass(path, wanted_path) for path in settings.MIDDLEWARE)


def _is_subclass(path: str, wanted_path: str) -> bool:
    try:
        found, wanted = import_string(path), import_string(wanted_path)
    except ImportError:
        # Django itself reports a middleware that cannot be imported.
        return False
    return isinstance(found, type) and issubclass(found, wanted)
