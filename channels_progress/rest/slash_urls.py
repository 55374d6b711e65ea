"""The same where URLs end in a slash: ``path("notifications/", include("channels_progress.rest.slash_urls"))``."""

from __future__ import annotations

from django.urls import path

from channels_progress.rest.preferences import preferences
from channels_progress.rest.views import inbox, item

urlpatterns = [
    path("", inbox, name="user-notification-list"),
    path("preferences/", preferences, name="user-notification-preferences"),
    path("<str:uid>/", item, name="user-notification-detail"),
]
