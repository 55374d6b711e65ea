"""``manage.py send_notification`` as a process, heard by a socket of the example site."""

from __future__ import annotations

import json
from typing import Any

from example_project.site_client import SiteClient
from example_project.stack import Stack

WITHIN_S = 60.0


def hear(socket: Any, wanted: str) -> dict[str, Any]:
    """The next frame of this type."""
    while True:
        frame: dict[str, Any] = json.loads(socket.recv(timeout=WITHIN_S))
        if frame["type"] == wanted:
            return frame


def test_a_message_to_a_user_is_heard_by_their_page_alone(client: SiteClient, stack: Stack) -> None:
    ben = SiteClient(stack.url)
    ben.log_in("ben")
    with client.connect("/asgi/notifications/") as hers, ben.connect("/asgi/notifications/") as his:
        for socket in (hers, his):
            socket.send(json.dumps({"type": "subscribe", "audiences": True}))
            while not hear(socket, "subscribed")["channel"].startswith("user:"):
                pass
        arguments = ("--username=ada", "--level=success", "--click-url=/cities/", "Your import has finished")
        assert stack.manage("send_notification", *arguments) == "Sent: message to user ada.\n"
        assert stack.manage("send_notification", "--audience=authenticated", "All done") == (
            "Sent: message to authenticated.\n"
        )
        message = hear(hers, "message")
        assert (message["text"], message["cssClass"], message["clickURL"]) == (
            "Your import has finished", "success", "/cities/"
        )  # fmt: skip
        assert [hear(hers, "message")["text"], hear(his, "message")["text"]] == ["All done", "All done"]
