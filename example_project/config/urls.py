"""URLs of the example site."""

from __future__ import annotations

from django.contrib import admin
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import include, path

from example_project.config.static import serve_static

urlpatterns = [
    path("", include("example_project.jobs.urls")),
    path("accounts/", include("example_project.accounts.urls")),
    path("broadcasts/", include("example_project.broadcasts.urls")),
    path("cities/", include("example_project.cities.urls")),
    path("files/", include("example_project.files.urls")),
    path("tasks/", include("channels_progress.urls")),
    path("admin/", admin.site.urls),
    path("static/<path:path>", serve_static),
    # Browsers ask for it on pages that name no icon, such as the admin's.
    path("favicon.ico", lambda request: redirect(static("example/icon.svg"))),
]
