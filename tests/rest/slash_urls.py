"""The same of a site whose URLs end in a slash, and of one with versions."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("inbox/", include("channels_progress.rest.slash_urls")),
    path("api/<str:version>/inbox", include("channels_progress.rest.urls")),
]
