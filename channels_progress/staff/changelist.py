"""The list of tasks as the admin's own templates and tags read a list, in whichever Django."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.paginator import Page, Paginator
from django.utils.translation import gettext_lazy as _

from channels_progress.records import Listing, TaskRecord
from channels_progress.staff.filters import Filter, Query, make_filters, select


class TaskChangeList:
    """What ``admin/change_list.html`` needs of Django's ``ChangeList``, whose rows come from a table.

    Attributes:
        page: The tasks to show.
    """

    search_fields = ("uid", "title", "name")
    search_help_text = _("By title, Celery name or id.")
    has_filters = True
    show_full_result_count = True
    is_popup = add_facets = is_facets_optional = False
    show_all = can_show_all = show_admin_actions = False
    formset = date_hierarchy = None

    def __init__(self, opts: Any, query: Query, listing: Listing, *, per_page: int, page: str | None) -> None:
        found = select(listing.records, query, listing.now)
        self.opts = opts
        self.query = query.q
        self.params: Mapping[str, str] = query.params
        self.filter_specs: Sequence[Filter] = make_filters(listing.records, query, listing.now)
        self.has_active_filters = query.is_filtered
        self.clear_all_filters_qs = query.clear_url
        self.result_count, self.full_result_count = len(found), len(listing.records)
        self.paginator = Paginator(found, per_page)
        self.page: Page[TaskRecord] = self.paginator.get_page(page)
        self.page_num = self.page.number
        self.multi_page = self.page.has_other_pages()
        self._query = query

    def get_query_string(self, new_params: Mapping[str, Any]) -> str:
        """The address of the list with these parameters instead."""
        return self._query.make_url(**new_params)


class NoChangeList:
    """The same while the store is away: nothing to search or to filter."""

    has_filters = False

    def __init__(self, opts: Any) -> None:
        self.opts = opts
        self.result_count = self.full_result_count = 0
