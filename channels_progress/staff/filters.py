"""Which tasks of the list are wanted: by what they do, by whose they are, by a search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_progress.records import TaskRecord, list_id
from channels_progress.staff.owners import KINDS, find_kind
from channels_progress.staff.rows import STATUSES, find_status


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a filter, under the names that ``admin/filter.html`` reads."""

    display: str
    query_string: str
    selected: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter, under the names that the admin's tag ``admin_list_filter`` reads."""

    title: str
    lines: tuple[Choice, ...]
    template: str = "admin/filter.html"

    def choices(self, changelist: object) -> tuple[Choice, ...]:
        """Its lines."""
        return self.lines


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked for in the address.

    Attributes:
        state: A key of ``STATUSES``, or empty for all.
        owner: A key of ``KINDS``, the ``list_id`` of one owner, or empty for all.
        q: Words that must all stand in id, title or Celery name.
    """

    state: str = ""
    owner: str = ""
    q: str = ""

    @property
    def params(self) -> dict[str, str]:
        """What is set, by the names in the address."""
        return {name: value for name, value in asdict(self).items() if value}

    @property
    def is_filtered(self) -> bool:
        """Whether a filter is set, the search aside."""
        return bool(self.state or self.owner)

    @property
    def clear_url(self) -> str:
        """The address of the list without filters; the search stays."""
        return self.make_url(state="", owner="")

    def make_url(self, **changes: Any) -> str:
        """The address of the list with these changes; ``p`` is the page."""
        return "?" + urlencode({name: value for name, value in {**asdict(self), **changes}.items() if value})


def read_query(params: Mapping[str, str]) -> Query:
    """The query of a request's parameters; an unknown state is none."""
    state = params.get("state", "")
    return Query(state if state in STATUSES else "", params.get("owner", ""), params.get("q", "").strip())


def select(records: Sequence[TaskRecord], query: Query, now: int) -> list[TaskRecord]:
    """Those that the query asks for, in their order."""
    return [record for record in records if _matches(record, query, now)]


def make_filters(records: Sequence[TaskRecord], query: Query, now: int) -> list[Filter]:
    """The filters with how many tasks each choice would show."""
    states = Counter(find_status(record, now) for record in select(records, replace(query, state=""), now))
    kinds = Counter(find_kind(record.owner) for record in select(records, replace(query, owner=""), now))
    return [
        Filter(str(_("state")), _make_choices("state", STATUSES, states, query)),
        Filter(str(_("owner")), _make_choices("owner", KINDS, kinds, query)),
    ]


def _matches(record: TaskRecord, query: Query, now: int) -> bool:
    if query.state and find_status(record, now) != query.state:
        return False
    if query.owner and query.owner not in (find_kind(record.owner), record.owner and list_id(record.owner)):
        return False
    text = f"{record.uid}\n{record.body.get('title') or ''}\n{record.name}".casefold()
    return all(word in text for word in query.q.casefold().split())


def _make_choices(
    name: str, labels: Mapping[str, str | Promise], counts: Mapping[str, int], query: Query
) -> tuple[Choice, ...]:
    chosen = asdict(query)[name]
    every = Choice(str(_("All")), query.make_url(**{name: ""}), not chosen)
    # The list_id of one owner has no word of its own.
    one = (Choice(str(_("This one")), query.make_url(), True),) if chosen and chosen not in labels else ()
    return (
        every,
        *one,
        *(
            Choice(f"{label} ({counts.get(key, 0)})", query.make_url(**{name: key}), chosen == key)
            for key, label in labels.items()
        ),
    )
