"""An ASGI server of the rig, and what a visitor asks of it."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.consumers.sockets import make_session_cookie, make_token
from tests.live.rig.page import Page
from tests.live.rig.processes import ServerProcess
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.live.rig.setup import Rig

APPLICATION = "tests.live.rig.asgi:application"
COMMANDS = {
    "uvicorn": ["uvicorn", "--ws-per-message-deflate", "false", "--lifespan", "off"],
    "daphne": ["daphne"],
}
# "Uvicorn running on http://127.0.0.1:40001", "Listening on TCP address 127.0.0.1:40001"
LISTENING = re.compile(r"(?:running on|Listening on)\D+127\.0\.0\.1:(\d+)")
ANSWER_WITHIN_S = 10.0
# Unknown, or the store is away.
NO_STATE = {404, 503}


class Site(ServerProcess):
    """A server at ``url``, with tokens for whoever knows a task's uid."""

    def __init__(self, rig: Rig, kind: str, options: Sequence[str], name: str, application: str) -> None:
        process = rig.make_process(name, *COMMANDS[kind], application, *options, is_ready=LISTENING.search)
        super().__init__(process.command, log_path=process.log_path, env=rig.make_env(), is_ready=LISTENING.search)
        self._base_command = self.command
        self.command = [*self._base_command, "--port", "0"]
        self.port = 0

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, wait: bool = True) -> None:
        """Start it, on the port it had before."""
        super().start(wait=wait)
        if wait and not self.port:
            found = LISTENING.search(self.log_of_run)
            assert found
            self.port = int(found[1])
            self.command = [*self._base_command, "--port", found[1]]

    def open_page(self, *uids: str) -> Page:
        """A page with these tasks; use it in a ``with`` block."""
        return Page(self.url, uids)

    def read_state(self, uid: str) -> dict[str, Any] | None:
        """The task frame that the JSON state answers; None where there is none, or nobody knows."""
        request = urllib.request.Request(
            f"{self.url}/tasks/{quote(uid, safe='')}/?format=json",
            headers={"Cookie": make_session_cookie(), "X-Channels-Progress-Token": make_token(uid)},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=ANSWER_WITHIN_S) as response:
                frame: dict[str, Any] = json.load(response)
                return frame
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in NO_STATE:
                return None
            raise

    def wait_for_state(self, uid: str, *states: str, **options: Any) -> dict[str, Any]:
        """The task frame once the JSON state is one of these, whatever fails meanwhile."""

        def look() -> dict[str, Any] | None:
            with suppress(OSError):
                frame = self.read_state(uid)
                return frame if frame and frame["state"]["state"] in states else None
            return None

        frame = wait_until(look, message=f"the JSON state of {uid} is none of {states}", **options)
        assert frame
        return frame
