"""A site whose inbox is reached as that of django-notifications-websocket is, and once more with slashes."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("api/v1/me/notifications", include("channels_progress.rest.urls")),
    path("inbox/", include("channels_progress.rest.slash_urls")),
]
