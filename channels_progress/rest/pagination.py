"""Pages of an inbox: how they are asked for in a query string, and how that is described to schema generators."""

from __future__ import annotations

from typing import Any

from rest_framework.pagination import BasePagination
from rest_framework.request import Request

from channels_progress.conf import get_settings
from channels_progress.notifications.pages import InboxPage, read_page

#: Of an ``InboxPage``.
COUNTS = {
    "total": "How many the inbox has, whatever was asked for.",
    "read": "How many of those were read.",
    "unread": "How many were not.",
}


class InboxPagination(BasePagination):
    """``?page=2&page_size=10&is_read=false``. An empty value counts as none."""

    def read(self, request: Request) -> InboxPage:
        """The page that was asked for; raises ``InboxRequestRefused`` where there is none."""
        asked = {name: request.query_params.get(name) or None for name in ("page", "page_size", "is_read")}
        return read_page(request.user, **asked)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """What may be asked for."""
        settings = get_settings()
        size = {"minimum": 1, "maximum": settings.INBOX_PAGE_SIZE_MAX, "default": settings.INBOX_PAGE_SIZE}
        return [
            _describe_parameter("page", {"type": "integer", "minimum": 1, "default": 1}, "From 1, the newest."),
            _describe_parameter("page_size", {"type": "integer", **size}, "How many a full page has."),
            _describe_parameter("is_read", {"type": "boolean"}, "Only what was read, or what was not."),
        ]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The counts, and the notifications of one page."""
        counts = {
            f"{name}_notifications": {"type": "integer", "minimum": 0, "description": text}
            for name, text in COUNTS.items()
        }
        return {
            "type": "object",
            "required": [*counts, "notifications"],
            "properties": {**counts, "notifications": schema},
        }


def _describe_parameter(name: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
