"""Tasks as rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.utils import quote
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_progress.display import STATUS_KEYS
from channels_progress.events import find_liveness
from channels_progress.formats import format_duration
from channels_progress.records import ENDED_STATES, Liveness, TaskRecord, TaskState
from channels_progress.staff.owners import Owner, describe_owners

#: What a task can be doing, in the order of its life, in a word or two.
STATUSES: dict[str, str | Promise] = {
    "waiting": _("Waiting"),
    "running": _("Running"),
    "stalled": _("Stalled"),
    "lost": _("Lost"),
    "cancelling": _("Cancelling"),
    "retrying": _("Retrying"),
    "succeeded": _("Succeeded"),
    "failed": _("Failed"),
    "cancelled": _("Cancelled"),
    "ignored": _("Ignored"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """One task in a table.

    Attributes:
        uid: Celery's task id.
        quoted: The same as the admin writes it into addresses.
        title: The task's own title, or its Celery name, or its id.
        name: Celery's name of the task.
        status: A key of ``STATUSES``; ``label`` its words.
        owner: Whose it is.
        attempt: 0 before the first.
        worker: Of the current attempt.
        created, began, ended: In the time zone of the admin; None where it has not happened.
        duration: From the beginning to the end, or until now; empty before.
    """

    uid: str
    quoted: str
    title: str
    name: str
    status: str
    label: str
    owner: Owner
    attempt: int
    worker: str
    created: datetime | None
    began: datetime | None
    ended: datetime | None
    duration: str


def make_rows(records: Iterable[TaskRecord], now: int, find_url: Callable[[Any], str]) -> list[TaskRow]:
    """Rows in the order of ``records``; one query for all their owners.

    Args:
        records: From the store.
        now: The store's clock, UTC milliseconds.
        find_url: See ``describe_owners``.
    """
    records = list(records)
    owners = describe_owners((record.owner for record in records), find_url)
    return [_make_row(record, now, owners[record.owner]) for record in records]


def find_status(record: TaskRecord, now: int) -> str:
    """The key of ``STATUSES`` for this record at ``now``, by the rules of ``display``."""
    liveness = find_liveness(record.state, now - record.heartbeat_at)
    if liveness in (Liveness.STALLED, Liveness.LOST):
        return str(liveness)
    if record.cancelling and record.state not in ENDED_STATES:
        return "cancelling"
    return STATUS_KEYS[record.state]


def find_title(record: TaskRecord) -> str:
    """What the record is called, with something to click on in any case."""
    return str(record.body.get("title") or record.name or record.uid)


def as_time(at: int) -> datetime | None:
    """Milliseconds as a time in the current time zone, whatever ``USE_TZ``; None for none."""
    return timezone.localtime(datetime.fromtimestamp(at / 1000, tz=UTC)) if at else None


def find_duration(record: TaskRecord, now: int) -> str:
    """How long it ran, or runs; empty before it began, and between two attempts."""
    is_between = record.state in (TaskState.PENDING, TaskState.RETRY)
    if not record.began_at or is_between:
        return ""
    return format_duration(((record.ended_at or now) - record.began_at) / 1000)


def _make_row(record: TaskRecord, now: int, owner: Owner) -> TaskRow:
    status = find_status(record, now)
    return TaskRow(
        uid=record.uid,
        quoted=quote(record.uid),
        title=find_title(record),
        name=record.name,
        status=status,
        label=str(STATUSES[status]),
        owner=owner,
        attempt=record.attempt,
        worker=record.worker,
        created=as_time(record.created_at),
        began=as_time(record.began_at),
        ended=as_time(record.ended_at),
        duration=find_duration(record, now),
    )
