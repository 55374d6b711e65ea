"""``accounts/``."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from example_project.accounts.views import DemoLoginView, log_in_as

urlpatterns = [
    path("login/", DemoLoginView.as_view(), name="login"),
    path("login/<slug:username>/", log_in_as, name="log_in_as"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
