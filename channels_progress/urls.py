"""URLs to include: ``path("tasks/", include("channels_progress.urls"))``."""

from __future__ import annotations

from django.urls import path

from channels_progress import views

app_name = "channels_progress"
urlpatterns = [
    path("token/", views.token, name="token"),
    path("<str:uid>/", views.task, name="task"),
    path("<str:uid>/cancel/", views.cancel, name="cancel"),
]
