"""What is done over HTTP is seen on the person's open sockets, and on nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from rest_framework.test import APIRequestFactory, force_authenticate

from channels_progress.notifications import anotify
from channels_progress.rest.views import inbox, item
from tests.consumers.conftest import settled, store
from tests.consumers.hearing import OURS, ask, opened

__all__ = ["settled", "store"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("settled", "store")]


def count(frame: dict[str, Any]) -> tuple[int, int]:
    """How many there are, and how many of them were read."""
    return frame["results"]["total_notifications"], frame["results"]["read_notifications"]


@sync_to_async
def request(view: Any, user: User, method: str, data: Any = None, **kwargs: Any) -> Any:
    asked = getattr(APIRequestFactory(), method)("/", data, format="json")
    force_authenticate(asked, user)
    response = view(asked, **kwargs)
    assert response.status_code == 200, response.data
    return response.data


async def test_answers_over_http_and_over_the_socket_are_one(alice: User, bob: User) -> None:
    await anotify([alice, bob], "a", actor=bob, data={"x": [1]})
    async with opened(alice, offers=OURS) as socket:
        assert (await ask(socket, type="inbox"))["results"] == await request(inbox, alice, "get")


async def test_what_is_done_over_http_is_seen_at_once(alice: User, bob: User) -> None:
    for text in "abc":
        await anotify([alice, bob], text)
    async with opened(alice, offers=OURS) as hers, opened(bob, offers=OURS) as his:
        frame = await ask(hers, type="inbox")
        uids = [each["uid"] for each in frame["results"]["notifications"]]
        assert (count(frame), count(await ask(his, type="inbox"))) == ((3, 0), (3, 0))
        await request(item, alice, "get", uid=uids[0])
        assert count(await hers.receive_json_from()) == (3, 1)
        await request(inbox, alice, "patch", {"action_choice": "MARK_AS_READ", "notification_uids": uids[:2]})
        assert count(await hers.receive_json_from()) == (3, 2)
        await request(item, alice, "patch", {"status": "REMOVED"}, uid=uids[0])
        assert count(await hers.receive_json_from()) == (2, 1)
        await request(inbox, alice, "patch", {"action_choice": "REMOVED_ALL"})
        assert count(await hers.receive_json_from()) == (0, 0)
        await request(inbox, bob, "patch", {"action_choice": "MARK_ALL_AS_READ"})
        assert count(await his.receive_json_from()) == (3, 3)
