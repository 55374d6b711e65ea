"""The rows that django-celery-results keeps, for staff; without that app, or its admin, there is nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.urls import NoReverseMatch, reverse

_APP = "django_celery_results"


@dataclass(frozen=True, slots=True)
class StoredResult:
    """What staff may see of a task's stored result.

    Attributes:
        url: The row's page in the admin; empty where that admin does not have it.
        traceback: Of a failure or a retry; empty without.
    """

    url: str
    traceback: str


def find_result(uid: str, user: Any, *, current_app: str | None = None) -> StoredResult | None:
    """The task's stored result; None where there is none or ``user`` may not see it.

    Args:
        uid: The task's id.
        user: Staff, with the permission to view results.
        current_app: Name of the admin site to link into, where it is not the default one.
    """
    if not getattr(user, "is_staff", False) or not apps.is_installed(_APP):
        return None
    if not user.has_perm(f"{_APP}.view_taskresult"):
        return None
    rows = apps.get_model(_APP, "TaskResult")._default_manager.filter(task_id=uid)
    row = rows.values_list("pk", "traceback").first()
    return None if row is None else StoredResult(_find_url(row[0], current_app), row[1] or "")


def find_result_url(uid: str, user: Any) -> str:
    """Admin page of the task's stored result, with its traceback; empty where there is none or ``user`` may not."""
    result = find_result(uid, user)
    return result.url if result else ""


def _find_url(pk: Any, current_app: str | None) -> str:
    try:
        return reverse(f"admin:{_APP}_taskresult_change", args=[pk], current_app=current_app)
    except NoReverseMatch:
        return ""
