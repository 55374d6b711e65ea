"""Conditions of tentative deliveries: asked when one is due, by name, so that they survive a restart."""

from __future__ import annotations

#: The condition that the person has not read the item.
UNREAD = "unread"
