"""The rows that django-celery-results keeps, for staff; without that app, or its admin, there is nothing."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.urls import NoReverseMatch, reverse

_APP = "django_celery_results"


def find_result_url(uid: str, user: Any) -> str:
    """Admin page of the task's stored result, with its traceback; empty where there is none or ``user`` may not."""
    if not getattr(user, "is_staff", False) or not apps.is_installed(_APP):
        return ""
    if not user.has_perm(f"{_APP}.view_taskresult"):
        return ""
    rows = apps.get_model(_APP, "TaskResult")._default_manager.filter(task_id=uid)
    pk = rows.values_list("pk", flat=True).first()
    if pk is None:
        return ""
    try:
        return reverse(f"admin:{_APP}_taskresult_change", args=[pk])
    except NoReverseMatch:
        return ""
