"""The ASGI application: ``uvicorn example_project.config.asgi:application``."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

from channels_progress.asgi import with_websockets

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.config.settings")

application = with_websockets(get_asgi_application())
