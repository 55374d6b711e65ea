"""The same of a site whose URLs end in a slash."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("inbox/", include("channels_progress.rest.slash_urls"))]
