"""URLs of a site with the admin."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("tasks/", include("channels_progress.urls")), path("admin/", admin.site.urls)]
