"""``files/``."""

from __future__ import annotations

from django.urls import path

from example_project.files.views import show_hash, start_hash, start_pack

app_name = "files"
urlpatterns = [
    path("hash/", start_hash, name="start_hash"),
    path("hash/<int:pk>/", show_hash, name="hash"),
    path("pack/", start_pack, name="start_pack"),
]
