"""Tasks as staff read them from the store."""

from __future__ import annotations

from dataclasses import replace

from channels_progress.conf import get_settings
from channels_progress.records import Listing, TaskRecord
from channels_progress.store import get_store

#: How many other tasks of its owner stand beside a task.
OTHERS_SHOWN = 10


def read_everybodys(uid: str = "") -> Listing:
    """All tasks that the store still lists; first the one with just this id, which may be older than those.

    Raises:
        StoreUnavailable: The store did not answer.
    """
    listing = get_store().list_for(None, limit=get_settings().LISTED_FOR_STAFF)
    if not uid or any(record.uid == uid for record in listing.records):
        return listing
    snapshot = get_store().read(uid)
    return replace(listing, records=(snapshot.record, *listing.records)) if snapshot else listing


def read_others(record: TaskRecord) -> tuple[TaskRecord, ...]:
    """The newest other tasks of the same owner; none of a task that nobody owns.

    Raises:
        StoreUnavailable: The store did not answer.
    """
    if not record.owner:
        return ()
    listing = get_store().list_for(record.owner, limit=OTHERS_SHOWN + 1)
    return tuple(other for other in listing.records if other.uid != record.uid)[:OTHERS_SHOWN]
