"""What with_websockets() makes of a project's ASGI application."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import URLRouter
from django.contrib.auth.models import AnonymousUser
from django.urls import include, path

from channels_progress.asgi import with_websockets
from channels_progress.consumers.protocol import CloseCode
from channels_progress.routing import websocket_urlpatterns
from tests.consumers.doubles import UnrulyStore
from tests.consumers.sockets import PATH, make_socket, make_token

# No query is made, but Django looks after old connections around whatever might make one.
pytestmark = pytest.mark.django_db(transaction=True)

ACCEPTED, REFUSED = (True, "channels-progress"), (False, CloseCode.FORBIDDEN)


class Echo(AsyncJsonWebsocketConsumer):
    """A project's own consumer that tells what it finds in its scope."""

    async def connect(self) -> None:
        await self.accept()
        user, kwargs = self.scope["user"], self.scope["url_route"]["kwargs"]
        await self.send_json([type(user._wrapped).__name__, "session" in self.scope, kwargs])


@pytest.fixture(autouse=True)
def sessions(settings: Any) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"


async def connect(*args: Any, **options: Any) -> tuple[bool, Any]:
    socket = make_socket(*args, offers=("channels-progress", make_token("t")), **options)
    answer = await socket.connect()
    if answer[0]:
        await socket.disconnect()
    return answer


async def test_own_page_is_accepted_and_foreign_ones_are_not(store: UnrulyStore) -> None:
    assert await connect() == ACCEPTED
    for origin in ("https://testserver", "http://evil.example", "null", "http://[", "http://testserver:99999", ""):
        assert await connect(origin=origin) == REFUSED


async def test_http_goes_to_django_untouched() -> None:
    calls = []

    async def django_asgi_app(*given: Any) -> None:
        calls.append(given)

    given = {"type": "http", "path": "/", "headers": []}, object(), object()
    await with_websockets(django_asgi_app)(*given)
    assert calls == [given]


async def test_path_is_a_setting(store: UnrulyStore, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "SOCKET_PATH": "live/"}
    assert await connect("/live/") == ACCEPTED
    assert await connect(PATH) == REFUSED


@pytest.mark.parametrize(
    "url", ["/", "/asgi/notifications", "/asgi/notifications/x", "/x/asgi/notifications/", "/\x00é"]
)
async def test_path_that_nobody_serves_is_refused(store: UnrulyStore, url: str) -> None:
    assert await connect(url) == REFUSED
    assert await connect(url, application=with_websockets(None, path("echo/", Echo.as_asgi()))) == REFUSED


@pytest.mark.parametrize("url", ["/app/asgi/notifications/", PATH])
async def test_script_name_is_honoured_whether_stripped_or_not(store: UnrulyStore, settings: Any, url: str) -> None:
    assert await connect(url, root_path="/app") == ACCEPTED
    settings.FORCE_SCRIPT_NAME = "/app/"
    assert await connect(url) == ACCEPTED
    assert await connect("/apple/asgi/notifications/") == REFUSED


async def test_projects_own_consumers_find_user_and_session(store: UnrulyStore) -> None:
    application = with_websockets(None, path("rooms/<int:room>/", Echo.as_asgi()))
    socket = make_socket("/rooms/7/", application=application)
    assert await socket.connect() == (True, None)
    assert await socket.receive_json_from() == [AnonymousUser.__name__, True, {"room": 7}]
    await socket.disconnect()
    assert await connect(application=application) == ACCEPTED
    assert await connect("/rooms/7/", application=application, origin="http://evil.example") == REFUSED


async def test_route_works_in_a_router_of_ones_own(store: UnrulyStore) -> None:
    assert await connect(application=URLRouter(websocket_urlpatterns)) == ACCEPTED


@pytest.mark.parametrize("wrong", [[path("x/", Echo.as_asgi())], Echo, include("tests.urls")])
def test_what_is_no_pattern_is_an_error_at_once(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"path\(\"…\", SomeConsumer.as_asgi\(\)\) is expected"):
        with_websockets(None, wrong)


def test_quick_start_imports_before_the_settings_are_named() -> None:
    program = (
        "import os\n"
        "from django.core.asgi import get_asgi_application\n"
        "from channels_progress.asgi import with_websockets\n"
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'tests.settings')\n"
        "application = with_websockets(get_asgi_application())\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, env=environment)


async def test_the_consumer_checks_the_origin_however_it_is_routed_to(store: UnrulyStore) -> None:
    for origin, answer in (("http://evil.example", REFUSED), ("http://testserver", ACCEPTED)):
        offers = ("channels-progress", make_token("t"))
        socket = make_socket(origin=origin, application=URLRouter(websocket_urlpatterns), offers=offers)
        assert await socket.connect() == answer
        await socket.disconnect()
