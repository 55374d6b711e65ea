"""Everything a record has, as a list to read; of secrets, such as a session's nonce, there is none in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from channels_progress.formats import format_duration
from channels_progress.records import TaskRecord
from channels_progress.staff.owners import Owner
from channels_progress.staff.rows import STATUSES, as_time, find_duration, find_status


@dataclass(frozen=True, slots=True)
class Fact:
    """One line.

    Attributes:
        label: What it is.
        value: A text, or a time in the zone of the admin; empty or None for none.
        url: Where the value leads.
        is_code: The value is an identifier.
    """

    label: str
    value: str | datetime | None
    url: str = ""
    is_code: bool = False

    @property
    def is_time(self) -> bool:
        """Whether the value is a time."""
        return isinstance(self.value, datetime)


def list_facts(record: TaskRecord, now: int, owner: Owner, parent_url: str) -> list[Fact]:
    """The facts of ``record`` at ``now`` (the store's clock, UTC milliseconds), what matters most first."""
    return [
        Fact(_("Task id"), record.uid, is_code=True),
        Fact(_("Celery name"), record.name, is_code=True),
        Fact(_("State"), f"{STATUSES[find_status(record, now)]} ({record.state})"),
        Fact(_("Reason"), record.reason),
        Fact(_("Cancel asked for"), _say(record.cancelling)),
        Fact(_("Owner"), owner.label, owner.url),
        Fact(_("Worker"), record.worker, is_code=True),
        Fact(_("Attempt"), str(record.attempt)),
        Fact(_("Part of task"), record.parent, parent_url, is_code=True),
        *_list_times(record, now),
        Fact(_("End seen by its owner"), _say(record.seen)),
        Fact(_("Removed from its owner's list"), _say(record.dismissed)),
        Fact(_("Delivery"), record.delivery, is_code=True),
        Fact(_("Record"), f"{record.epoch}, {record.seq}", is_code=True),
    ]


def write_body(record: TaskRecord) -> str:
    """What the task last reported, as JSON to read."""
    return json.dumps(record.body, ensure_ascii=False, indent=2, sort_keys=True)


def _list_times(record: TaskRecord, now: int) -> list[Fact]:
    waited_ms = record.began_at - record.created_at if record.began_at and record.created_at else 0
    return [
        Fact(_("Created"), as_time(record.created_at)),
        Fact(_("Began"), as_time(record.began_at)),
        Fact(_("Waited before"), format_duration(waited_ms / 1000) if record.began_at else ""),
        Fact(_("Last heard of"), as_time(record.heartbeat_at)),
        Fact(_("Next attempt due"), as_time(record.retry_at)),
        Fact(_("Ended"), as_time(record.ended_at)),
        Fact(_("Took") if record.ended_at else _("Runs for"), find_duration(record, now)),
    ]


def _say(value: bool) -> str:
    return _("yes") if value else _("no")
