"""People, and deliveries that say what they were given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from channels_progress.notifications.deliveries import dispatching
from tests.deliveries.ways import Recorder, asked, namespaces, sent
from tests.notifications.conftest import alias

__all__ = ["alias"]


@pytest.fixture(autouse=True)
def nothing_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees what another has sent, or waits for its broker."""
    monkeypatch.setattr(dispatching, "_ask_at", 0.0)
    sent.clear()
    namespaces.clear()
    asked.clear()
    Recorder.raises = None


@pytest.fixture
def alice(db: Any) -> User:
    return User.objects.create(username="alice", email="alice@example.com")


@pytest.fixture
def change_settings(settings: Any) -> Callable[..., None]:
    """Call it with settings of ours for the rest of the test. What ``ways`` has is there.

    By the one fixture that others change settings with: two that are undone in turns would leave a change behind.
    """

    def change(**values: Any) -> None:
        ways = {"recorder": "tests.deliveries.ways.Recorder", "digest": {"class": "tests.deliveries.ways.Digest"}}
        ours = {"STORE": "memory", "DELIVERIES": ways, "DELIVERY_DISPATCHER": "tests.deliveries.ways.leave"}
        settings.CHANNELS_PROGRESS = ours | values

    return change
