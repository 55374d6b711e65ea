"""URLs of the test project."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("tasks/", include("channels_progress.urls"))]
