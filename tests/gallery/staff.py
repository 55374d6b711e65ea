"""Pages of the admin, for pictures: a superuser in a database of this process's own asks for them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client, override_settings
from django.urls import include, path

from tests.js.stage import ADA

LIST_PATH = "/admin/channels_progress/task/"
PATHS = {"admin-list": LIST_PATH, "admin-task": f"{LIST_PATH}a/change/"}


class Urls:
    """Of a site with the admin."""

    def __init__(self) -> None:
        self.urlpatterns = [path("tasks/", include("channels_progress.urls")), path("admin/", admin.site.urls)]


def render(page: str) -> str:
    """The HTML of this page of the admin."""
    with override_settings(ROOT_URLCONF=Urls()):
        client = Client()
        client.force_login(_find_superuser())
        response: Any = client.get(PATHS[page])
        assert response.status_code == 200
        return str(response.content.decode())


def _find_superuser() -> User:
    call_command("migrate", verbosity=0)
    User.objects.get_or_create(pk=ADA.pk, username=ADA.username)
    return User.objects.get_or_create(username="sue", is_staff=True, is_superuser=True)[0]
