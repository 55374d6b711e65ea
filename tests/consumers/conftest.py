"""What tests of the socket share."""

from __future__ import annotations

from typing import Any

import pytest

from tests.consumers.doubles import UnrulyStore


@pytest.fixture
async def store(settings: Any) -> UnrulyStore:
    """The store of the settings, in the test's hands. Resync only after gaps."""
    store = UnrulyStore()
    settings.CHANNELS_PROGRESS = {"STORE": lambda: store, "RESYNC_S": 60.0}
    return store
