"""Notifications as deliveries are given them, without a database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User

from channels_progress.notifications.deliveries import OutgoingNotification

UID = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")


def make_outgoing(text: str = "Paid", **values: Any) -> OutgoingNotification:
    """Alice's, unless told otherwise."""
    defaults: dict[str, Any] = {
        "uid": UID,
        "user": User(pk=7, username="alice", email="alice@example.com"),
        "text": text,
        "level": "info",
        "kind": "orders",
        "action": "",
        "url": "https://example.com/orders/1/",
        "link": "/orders/1/",
        "actor": None,
        "model": "",
        "object_pk": "",
        "instance": None,
        "changed": {},
        "data": {"sum": 3},
        "created_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "read_at": None,
        "status": "ACTIVE",
    }
    return OutgoingNotification(**defaults | values)
