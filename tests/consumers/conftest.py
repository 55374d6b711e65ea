"""What tests of the socket share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from channels_progress.consumers import listener
from tests.consumers.doubles import UnrulyStore
from tests.waiting import await_until


@pytest.fixture
async def store(settings: Any) -> UnrulyStore:
    """The store of the settings, in the test's hands. Resync only after gaps."""
    store = UnrulyStore()
    settings.CHANNELS_PROGRESS = {"STORE": lambda: store, "RESYNC_S": 60.0}
    return store


@pytest.fixture
async def settled() -> AsyncIterator[None]:
    """Waits, before the database is emptied, for what sockets that are gone still read and write there."""
    yield
    await await_until(lambda: not listener._tasks)
    # All of it runs in one thread, one after the other.
    await sync_to_async(int)()
