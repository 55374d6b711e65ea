"""What the rig's ASGI servers serve: our socket and our pages."""

from __future__ import annotations

from django.core.asgi import get_asgi_application

from channels_progress.asgi import with_websockets

application = with_websockets(get_asgi_application())
