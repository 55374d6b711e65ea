"""A site with nothing but the socket, for a real ASGI server; its settings come from the environment, as JSON."""

from __future__ import annotations

import json
import os

import django
from django.conf import settings
from django.core.asgi import get_asgi_application

from channels_progress.asgi import with_websockets

settings.configure(
    SECRET_KEY="not-secret-only-for-tests",
    ALLOWED_HOSTS=["127.0.0.1"],
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "channels_progress"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    CHANNELS_PROGRESS=json.loads(os.environ["LIVE_SITE_SETTINGS"]),
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "loggers": {"channels_progress": {"handlers": ["console"], "level": "INFO"}},
    },
    ROOT_URLCONF=__name__,
)
django.setup()

urlpatterns: list[object] = []
application = with_websockets(get_asgi_application())
