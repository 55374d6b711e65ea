"""Tasks in a memory store of the test's own, and people to look at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import clear_script_prefix
from django.utils import translation

from channels_progress.events import encode_json
from channels_progress.records import Message, Stamp, TaskState
from channels_progress.store import Store, get_store, reset_store

MakeRequest = Callable[..., HttpRequest]
MakeTask = Callable[..., str]


@pytest.fixture(autouse=True)
def clean_thread() -> Iterator[None]:
    """A request leaves its language and its script name behind in the thread."""
    with translation.override("en-us"):
        yield
    clear_script_prefix()


@pytest.fixture
def store() -> Iterator[Store]:
    reset_store()
    yield get_store()
    reset_store()


@pytest.fixture
def make_task(store: Store) -> MakeTask:
    """Makes a record and brings it into a state, the way a worker would; returns its uid."""

    def make(
        uid: str = "a",
        state: TaskState = TaskState.PROGRESS,
        *,
        owner: str = "",
        body: dict[str, Any] | None = None,
        messages: tuple[Message, ...] = (),
        **ending: Any,
    ) -> str:
        text = encode_json(body or {})
        get_store().create(uid, owner=owner, body=text)
        if state == TaskState.PENDING:
            return uid
        begun = get_store().begin(uid, delivery="d", owner=owner, body=text)
        if state == TaskState.PROGRESS:
            get_store().write(Stamp(uid, begun.epoch, begun.attempt), body=text, messages=messages)
        elif state != TaskState.STARTED:
            get_store().finish(uid, state, delivery="d", messages=messages, **ending)
        return uid

    return make


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice")


@pytest.fixture
def owner(alice: User) -> str:
    return f"user:{alice.pk}"


@pytest.fixture
def alice_client(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def bob_client(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_user("bob"))
    return client


@pytest.fixture
def make_request(rf: RequestFactory) -> MakeRequest:
    """A request of a user, anonymous by default, with a session that needs no database."""

    def make(user: AbstractBaseUser | None = None, path: str = "/page/?tab=2", **headers: str) -> HttpRequest:
        request = rf.get(path, headers=headers)
        request.user = user or AnonymousUser()  # type: ignore[assignment]
        request.session = SessionStore()
        return request

    return make


@pytest.fixture
def away(settings: Any) -> None:
    """The store is a Redis that refuses connections."""
    settings.CHANNELS_PROGRESS = {"STORE": "redis://127.0.0.1:1/0"}
