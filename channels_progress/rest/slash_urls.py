"""The same where URLs end in a slash: ``path("notifications/", include("channels_progress.rest.slash_urls"))``."""

from __future__ import annotations

from django.urls import path

from channels_progress.rest import views

urlpatterns = [
    path("", views.InboxView.as_view(), name="user-notification-list"),
    path("<str:uid>/", views.ItemView.as_view(), name="user-notification-detail"),
]
