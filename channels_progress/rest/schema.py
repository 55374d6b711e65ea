"""What schema generators cannot see by themselves: they would call both ways to PATCH alike."""

from __future__ import annotations

from typing import Any

from rest_framework.schemas.inspectors import DefaultSchema


class InboxSchema(DefaultSchema):
    """The project's own ``DEFAULT_SCHEMA_CLASS``, with names for what can be done: ``inbox_list``, ``inbox_mark``."""

    def __init__(self, prefix: str) -> None:
        """``prefix`` is what all names of a view begin with."""
        super().__init__()
        self._prefix = prefix

    def __get__(self, instance: Any, owner: Any) -> Any:
        """What describes this view."""
        schema: Any = super().__get__(instance, owner)
        if instance is not None:
            # With no arguments for drf-spectacular, with the path and the method for REST framework itself.
            schema.get_operation_id = lambda *_: f"{self._prefix}_{instance.action}"
        return schema
