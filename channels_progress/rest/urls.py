"""URLs to include without a slash: ``path("api/v1/me/notifications", include("channels_progress.rest.urls"))``.

Their paths and names are those of django-notifications-websocket, so that its front ends find them.
"""

from __future__ import annotations

from django.urls import path

from channels_progress.rest.preferences import preferences
from channels_progress.rest.views import inbox, item

urlpatterns = [
    path("", inbox, name="user-notification-list"),
    path("/preferences", preferences, name="user-notification-preferences"),
    path("/<str:uid>", item, name="user-notification-detail"),
]
