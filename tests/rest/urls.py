"""A site whose inbox is reached as that of django-notifications-websocket is."""

from __future__ import annotations

from django.urls import include, path
from rest_framework_simplejwt.views import TokenObtainPairView

urlpatterns = [
    path("api/v1/me/notifications", include("channels_progress.rest.urls")),
    path("api/v1/token", TokenObtainPairView.as_view()),
]
