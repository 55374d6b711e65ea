"""The rig's site with JSON web tokens, and with the route of django-notifications-websocket."""

from __future__ import annotations

# In whatever order a project imports them: before Django is set up.
from channels_progress.rest.routing import websocket_urlpatterns
from channels_progress.rest.sockets import JWTAuthMiddleware
from tests.live.rig.asgi import get_asgi_application, with_websockets

application = JWTAuthMiddleware(with_websockets(get_asgi_application(), *websocket_urlpatterns))
