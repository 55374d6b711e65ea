"""Links to users' pages in the admin, for who may open them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import reverse


def make_find_url(site: AdminSite, request: HttpRequest) -> Callable[[Any], str]:
    """Finds a user's page on this site; an empty string where there is none, or not for who asks."""

    def find_url(user: Any) -> str:
        model = type(user)
        if not site.is_registered(model):
            return ""
        if not site.get_model_admin(model).has_view_or_change_permission(request, user):
            return ""
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
        return reverse(name, args=[quote(user.pk)], current_app=site.name)

    return find_url
