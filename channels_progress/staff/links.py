"""Links into the admin from pages outside it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.apps import apps
from django.urls import NoReverseMatch, reverse


def find_admin_url(uid: str, user: Any) -> str:
    """The task's page in the admin; empty where there is none or ``user`` may not open it."""
    if not getattr(user, "is_staff", False) or not apps.is_installed("django.contrib.admin"):
        return ""
    if not user.has_perm("channels_progress.view_task"):
        return ""
    # Not imported above: the admin's modules need apps that a project may well do without.
    quote = import_module("django.contrib.admin.utils").quote
    try:
        return reverse("admin:channels_progress_task_change", args=[quote(uid)])
    except NoReverseMatch:
        return ""
