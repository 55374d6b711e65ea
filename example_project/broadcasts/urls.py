"""``broadcasts/``."""

from __future__ import annotations

from django.urls import path

from example_project.broadcasts.views import Console, listen

app_name = "broadcasts"
urlpatterns = [
    path("", Console.as_view(), name="console"),
    path("channels/<slug:channel>/", listen, name="channel"),
]
