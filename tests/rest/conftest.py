"""A server with the API, and people with an inbox."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.rest.front_end import FrontEnd, with_token
from tests.sent import Sent


@pytest.fixture
def site(settings: Any, transactional_db: None, live_server: Any) -> str:
    """The address of a server with the API."""
    settings.ROOT_URLCONF = "tests.rest.urls"
    return str(live_server.url)


@pytest.fixture
def alice(transactional_db: None) -> User:
    return User.objects.create_user("alice", "alice@example.com", first_name="Alice", last_name="Ada")


@pytest.fixture
def bob(transactional_db: None) -> User:
    return User.objects.create_user("bob", "bob@example.com", first_name="Bob", last_name="Babbage")


@pytest.fixture
def front_end(site: str, alice: User) -> FrontEnd:
    """Alice's."""
    return with_token(site, alice)


@pytest.fixture(autouse=True)
def _nothing_leaves(sent: Sent) -> None:
    """What is sent goes nowhere but there."""
