"""A refusal says nothing of what there is: the same answer, after the same work, whatever it was refused for.

Work is counted rather than timed: queries, readings of the store, questions to the authorizer, signatures.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.core.signing import Signer
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from channels_progress.events import task_channel
from channels_progress.store.memory import MemoryStore
from channels_progress.tokens import issue_subscription_token
from tests.consumers.hearing import OURS, opened

pytestmark = pytest.mark.django_db(transaction=True)

JSON, BROWSER = {"Accept": "application/json"}, {"Accept": "text/html"}
FOREIGN, UNKNOWN = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"


class CountingStore(MemoryStore):
    """Counts how often it is read."""

    def __init__(self, work: Counter[str]) -> None:
        super().__init__()
        self._work = work

    def read(self, uid: str, **options: Any) -> Any:
        self._work["readings"] += 1
        return super().read(uid, **options)


@pytest.fixture
def work(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What has been done since it was cleared, with a store that holds Alice's task."""
    work: Counter[str] = Counter()
    store = CountingStore(work)
    store.begin(FOREIGN, delivery="d", owner="user:0", body='{"title":"secret"}')

    def ask(user: Any, channel: str) -> bool:
        work["questions"] += 1
        return False

    def sign(*args: Any, **options: Any) -> Any:
        work["signatures"] += 1
        return salted_hmac(*args, **options)

    salted_hmac = signing.salted_hmac
    monkeypatch.setattr(signing, "salted_hmac", sign)
    settings.CHANNELS_PROGRESS = {"STORE": lambda: store, "SUBSCRIPTION_AUTHORIZER": ask}
    return work


@pytest.fixture
def bob_client() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("bob"))
    return client


def measure(work: Counter[str], ask: Callable[[], Any]) -> tuple[Any, dict[str, int]]:
    """What is answered, and what was done for it."""
    work.clear()
    with CaptureQueriesContext(connection) as queries:
        answer = ask()
    return (answer.status_code, answer.content, dict(answer.headers)), {**work, "queries": len(queries)}


@pytest.mark.parametrize("headers", [JSON, BROWSER], ids=["state", "page"])
def test_an_unknown_task_takes_as_much_work_as_a_foreign_one(
    work: Counter[str], bob_client: Client, headers: dict[str, str]
) -> None:
    bob_client.get(f"/tasks/{UNKNOWN}/", headers=headers)
    foreign = measure(work, lambda: bob_client.get(f"/tasks/{FOREIGN}/", headers=headers))
    assert foreign == measure(work, lambda: bob_client.get(f"/tasks/{UNKNOWN}/", headers=headers))
    assert foreign[0][0] == 404
    assert foreign[1]["readings"] == foreign[1]["questions"] == 1


def test_cancelling_an_unknown_task_takes_as_much_work_as_a_foreign_one(work: Counter[str], bob_client: Client) -> None:
    answers = [
        measure(work, lambda uid=uid: bob_client.post(f"/tasks/{uid}/cancel/", headers=JSON))
        for uid in (FOREIGN, FOREIGN, UNKNOWN)
    ]
    assert answers[1] == answers[2]
    assert answers[1][0][0] == 404


BAD_TOKENS: dict[str, Callable[[str], str]] = {
    "tampered payload": lambda token: "A" + token[1:] if token[0] != "A" else "B" + token[1:],
    "tampered signature": lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
    "swapped parts": lambda token: "~".join(reversed(token.split("~"))),
    "another's signature": lambda token: token.split("~")[0] + "~" + "A" * 43,
    "wrong salt": lambda token: Signer(sep="~", salt="sessions").sign_object([2, "user:1", 0, ["a"], [], None, 0]),
}


@pytest.mark.parametrize("spoil", BAD_TOKENS.values(), ids=BAD_TOKENS)
def test_a_bad_token_never_gets_as_far_as_the_store(
    work: Counter[str], bob_client: Client, spoil: Callable[[str], str]
) -> None:
    bob = User.objects.get(username="bob")
    bad = spoil(issue_subscription_token(bob, [task_channel(FOREIGN), task_channel(UNKNOWN)]))
    headers = {**JSON, "X-Channels-Progress-Token": bad}
    answers = [
        measure(work, lambda uid=uid: bob_client.get(f"/tasks/{uid}/", headers=headers))
        for uid in (FOREIGN, FOREIGN, UNKNOWN)
    ]
    assert answers[1] == answers[2]
    assert (answers[1][0][0], json.loads(answers[1][0][1])) == (404, {"error": "not found"})
    assert answers[1][1].keys() <= {"signatures", "queries"}


async def test_a_socket_asks_as_much_about_an_unknown_task_as_about_a_foreign_one(work: Counter[str]) -> None:
    bob = await User.objects.acreate_user("bob")
    done = []
    async with opened(bob, offers=OURS) as socket:
        for uid in (FOREIGN, UNKNOWN):
            work.clear()
            await socket.send_json_to({"type": "subscribe", "channels": [task_channel(uid)]})
            answer = await socket.receive_json_from()
            done.append((answer.pop("channel"), answer, dict(work)))
    assert [channel for channel, _, _ in done] == [task_channel(FOREIGN), task_channel(UNKNOWN)]
    assert done[0][1:] == done[1][1:] == ({"type": "refused", "v": 1}, {"readings": 1, "questions": 1})


@pytest.mark.parametrize("spoil", BAD_TOKENS.values(), ids=BAD_TOKENS)
async def test_a_socket_with_a_bad_token_is_not_told_whether_there_is_a_task(
    work: Counter[str], spoil: Callable[[str], str]
) -> None:
    bob = await User.objects.acreate_user("bob")
    answers = []
    async with opened(bob, offers=OURS) as socket:
        for uid in (FOREIGN, UNKNOWN):
            token = spoil(issue_subscription_token(bob, [task_channel(uid)]))
            work.clear()
            await socket.send_json_to({"type": "subscribe", "token": token})
            answers.append((await socket.receive_json_from(), dict(work)))
    assert answers[0] == answers[1]
    assert answers[0][0] == {"type": "refused", "v": 1}
    assert answers[0][1].keys() <= {"signatures"}
