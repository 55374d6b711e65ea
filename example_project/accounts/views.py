"""Logging in: Django's own form, and one click for each person of the demo."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from example_project.accounts.people import PEOPLE


class DemoLoginView(LoginView):
    """The login form, with a button for each person."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"people": PEOPLE}


@require_POST
def log_in_as(request: HttpRequest, username: str) -> HttpResponse:
    """Log in as one of the demo's people without a password; back to where the button was."""
    names = [person.username for person in PEOPLE]
    user = get_object_or_404(User, username__in=names, username=username)
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    url = request.POST.get("next", "")
    is_safe = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return redirect(url if is_safe else settings.LOGIN_REDIRECT_URL)
