"""What says where a Redis is, and who we are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: In the words of redis-py.
ADDRESS_OPTIONS = frozenset(
    {"host", "port", "path", "db", "username", "password", "client_name", "credential_provider"}
)


def pick_address(options: Mapping[str, Any]) -> dict[str, Any]:
    """Of a connection's options those that say where and as whom to connect."""
    return {key: value for key, value in options.items() if key in ADDRESS_OPTIONS or key.startswith("ssl_")}
