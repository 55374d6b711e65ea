"""What the admin pages of kept rows have in common: nobody changes them, and the people they name are found at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model
from django.http import HttpRequest

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Any]
else:
    _Admin = object


class KeptRows(_Admin):
    """Rows that are what happened: nobody changes or deletes them here."""

    list_per_page = 100
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody: what has expired is pruned."""
        return False


class PeopleNamed(_Admin):
    """Rows that name people."""

    def describe(self, request: HttpRequest, rows: Any) -> None:
        """Find the people of these rows at once, and tell each row its own."""
        raise NotImplementedError

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """With the people whom the page names."""
        changelist = super().get_changelist_instance(request)
        self.describe(request, changelist.result_list)
        return changelist

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """With the people whom the row names."""
        row = super().get_object(request, object_id, from_field)
        if row:
            self.describe(request, [row])
        return row
