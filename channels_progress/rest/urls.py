"""URLs to include without a slash: ``path("api/v1/me/notifications", include("channels_progress.rest.urls"))``.

Their paths and names are those of django-notifications-websocket, so that its front ends find them.
"""

from __future__ import annotations

from django.urls import path

from channels_progress.rest import views

urlpatterns = [
    path("", views.InboxView.as_view(), name="user-notification-list"),
    path("/<str:uid>", views.ItemView.as_view(), name="user-notification-detail"),
]
