"""What to do where a service or a program that tests need is missing."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lack(reason: str) -> NoReturn:
    """Skip with the reason, or fail where ``REQUIRE_SERVICES=1`` says that everything must be there."""
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
