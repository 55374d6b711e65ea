"""People, and each database in turn."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.store.databases import INBOX, Router


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def alias(request: pytest.FixtureRequest, own_databases: Any, settings: Any) -> Iterator[str]:
    """Each database in turn, with its own users; nobody else writes there meanwhile."""
    own_databases(request.param)
    settings.DATABASE_ROUTERS = [Router(request.param, "auth", "admin")]
    settings.CHANNELS_PROGRESS = {"NAMESPACE": f"test.{secrets.token_hex(6)}"}
    yield str(request.param)
    for model in (*INBOX, User):
        model._base_manager.using(request.param).all()._raw_delete(request.param)


@pytest.fixture
def hints(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str | None]]:
    """Whose pages were told that their inbox has changed, call by call, and after the commit on which database."""
    hints: list[tuple[list[str], str | None]] = []

    def tell_changes(user_pks: list[str], *, on_commit: str | None) -> None:
        hints.append(([*user_pks], on_commit))

    monkeypatch.setattr("channels_progress.notifications.service.tell_changes", tell_changes)
    return hints


@pytest.fixture
def make_user() -> Callable[..., User]:
    """Makes a user of this name."""

    def make(name: str, **values: Any) -> User:
        return User.objects.create(username=name, **values)

    return make


@pytest.fixture
def alice(db: None, make_user: Callable[..., User]) -> User:
    return make_user("alice")


@pytest.fixture
def bob(db: None, make_user: Callable[..., User]) -> User:
    return make_user("bob")
