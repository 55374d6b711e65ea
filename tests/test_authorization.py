"""The owner may watch, the project's authorizer may let others; nobody else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser, User
from django.test import override_settings

from channels_progress.authorization import amay_watch, may_cancel, may_watch
from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import TaskRecord, TaskState
from channels_progress.store import get_store
from channels_progress.viewers import Viewer

ALICE = Viewer(User(pk=1, username="alice"))
BOB = Viewer(User(pk=2, username="bob"))
ADMIN = Viewer(User(pk=3, username="admin", is_staff=True, is_superuser=True))
VISITOR = Viewer(AnonymousUser(), "n0nce")
NOBODY = Viewer(AnonymousUser())
LOCKED_OUT = Viewer(User(pk=1, is_active=False), "n0nce")


def record_of(owner: str) -> TaskRecord:
    return TaskRecord(uid="u1", epoch="e", attempt=1, seq=1, state=TaskState.STARTED, body={}, owner=owner)


def authorize(authorizer: object) -> override_settings:
    return override_settings(CHANNELS_PROGRESS={"STORE": "memory", "SUBSCRIPTION_AUTHORIZER": authorizer})


def bob_only(user: User, channel: str) -> bool:
    return (user.username, channel) == ("bob", "task:u1")


async def bob_only_async(user: User, channel: str) -> bool:
    await asyncio.sleep(0)
    return bob_only(user, channel)


class BobOnly:
    async def __call__(self, user: User, channel: str) -> bool:
        return await bob_only_async(user, channel)


def raise_error(user: User, channel: str) -> bool:
    raise RuntimeError("no idea")


async def raise_error_async(user: User, channel: str) -> bool:
    raise RuntimeError("no idea")


def in_event_loop(viewer: Viewer, task: str | TaskRecord) -> bool:
    """The sync form on an event loop's own thread: a template rendered straight from an async view."""

    async def view() -> bool:
        return may_watch(viewer, task)

    return asyncio.run(view())


FORMS = pytest.mark.parametrize(
    "ask", [may_watch, async_to_sync(amay_watch), in_event_loop], ids=["sync", "async", "loop"]
)


@pytest.mark.parametrize(
    ("viewer", "owner", "allowed"),
    [
        (ALICE, "user:1", True),
        (Viewer(ALICE.user, "n0nce"), "session:n0nce", True),
        (VISITOR, "session:n0nce", True),
        (BOB, "user:1", False),
        (ADMIN, "user:1", False),
        (VISITOR, "user:1", False),
        (NOBODY, "", False),
        (ALICE, "", False),
        (LOCKED_OUT, "user:1", False),
        (LOCKED_OUT, "session:n0nce", False),
    ],
)
def test_owner_watches_and_cancels_and_nobody_else(viewer: Viewer, owner: str, allowed: bool) -> None:
    record = record_of(owner)
    assert may_watch(viewer, record) is allowed
    assert async_to_sync(amay_watch)(viewer, record) is allowed
    assert may_cancel(viewer, record) is allowed


@FORMS
@pytest.mark.parametrize(
    "authorizer",
    [
        bob_only,
        bob_only_async,
        BobOnly(),
        partial(bob_only_async),
        f"{__name__}.bob_only",
        f"{__name__}.bob_only_async",
    ],
)
def test_authorizer_lets_others_watch_but_not_cancel(ask: Callable[..., bool], authorizer: object) -> None:
    record = record_of("user:1")
    with authorize(authorizer):
        assert [ask(viewer, record) for viewer in (ALICE, BOB, ADMIN)] == [True, True, False]
        assert not may_cancel(BOB, record)


@FORMS
@pytest.mark.parametrize("authorizer", [raise_error, raise_error_async, "nowhere.to.be_found", f"{__name__}.missing"])
def test_failing_authorizer_is_a_no_logged_once_with_its_traceback(
    ask: Callable[..., bool], authorizer: object, caplog: pytest.LogCaptureFixture
) -> None:
    with authorize(authorizer):
        assert ask(BOB, record_of("user:1")) is False
    [entry] = [entry for entry in caplog.records if entry.name == "channels_progress.authorization"]
    assert (entry.levelno, entry.exc_info is None) == (logging.ERROR, False)


@pytest.mark.parametrize(("answer", "warned"), [(1, True), ("yes", True), ([BOB], True), (None, False), (False, False)])
def test_only_true_is_a_yes(answer: object, warned: bool, caplog: pytest.LogCaptureFixture) -> None:
    with authorize(lambda user, channel: answer):
        assert may_watch(BOB, record_of("user:1")) is False
    assert ("only True allows" in caplog.text) is warned


def test_authorizer_is_not_asked_about_owner_or_locked_out_user() -> None:
    asked: list[Any] = []
    with authorize(lambda user, channel: asked.append(user) or True):
        assert may_watch(ALICE, record_of("user:1"))
        assert not may_watch(LOCKED_OUT, record_of("user:1"))
    assert asked == []


@FORMS
def test_task_may_be_named_by_its_uid(ask: Callable[..., bool]) -> None:
    get_store().create("u1", owner="user:1", body="{}")
    assert [ask(viewer, "u1") for viewer in (ALICE, BOB, VISITOR)] == [True, False, False]


@FORMS
def test_unknown_task_is_for_those_the_authorizer_lets_watch(ask: Callable[..., bool]) -> None:
    assert not ask(BOB, "unknown")
    with authorize(lambda user, channel: channel == "task:unknown"):
        assert ask(BOB, "unknown")


@FORMS
def test_store_that_is_away_is_said_and_not_taken_for_a_no(ask: Callable[..., bool]) -> None:
    away = {"STORE": "redis://127.0.0.1:1/0", "STORE_TIMEOUT_S": 0.2, "SUBSCRIPTION_AUTHORIZER": lambda *_: True}
    with override_settings(CHANNELS_PROGRESS=away), pytest.raises(StoreUnavailable):
        ask(ALICE, "u1")
