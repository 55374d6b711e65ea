"""The tasks of one viewer: read from the store, and marked.

Somebody may be two owners at once: their login, and the session they had before it. Their lists are merged. Each is
read once, whatever number of tasks it has; nothing is read per task.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from channels_progress.conf import get_settings
from channels_progress.events import list_channel, list_frame
from channels_progress.records import ENDED_STATES, ListVersion, TaskRecord, list_id
from channels_progress.store import get_store
from channels_progress.viewers import Viewer


@dataclass(frozen=True, slots=True)
class OwnTasks:
    """What is on all lists of one viewer.

    Attributes:
        records: Newest first.
        lists: A list frame for each.
        now: The store's clock, integer UTC milliseconds.
    """

    records: tuple[TaskRecord, ...] = ()
    lists: tuple[dict[str, Any], ...] = ()
    now: int = 0


def read_own_tasks(viewer: Viewer) -> OwnTasks:
    """Everything on the viewer's lists: what runs must be shown however much has ended since it began.

    Raises:
        StoreUnavailable: The store did not answer.
    """
    owners, kept = _owners(viewer), get_settings().LISTED_PER_PERSON
    listings = [get_store().list_for(owner, limit=kept) for owner in owners]
    records = [record for listing in listings for record in listing.records]
    return OwnTasks(
        tuple(sorted(records, key=lambda record: record.created_at, reverse=True)),
        tuple(
            list_frame(list_channel(owner), listing.version, listing.now)
            for owner, listing in zip(owners, listings, strict=True)
        ),
        max((listing.now for listing in listings), default=0),
    )


def list_frames(viewer: Viewer) -> list[dict[str, Any]]:
    """A list frame for each list of this viewer, without reading the tasks on it.

    Raises:
        StoreUnavailable: The store did not answer.
    """
    owners = _owners(viewer)
    versions = get_store().list_versions([list_id(owner) for owner in owners]) if owners else []
    now = int(time.time() * 1000)
    return [
        list_frame(list_channel(owner), version or ListVersion(), now)
        for owner, version in zip(owners, versions, strict=True)
    ]


def own_list_channels(viewer: Viewer) -> list[str]:
    """The channels on which this viewer hears of their lists."""
    return [list_channel(owner) for owner in _owners(viewer)]


def mark_tasks(viewer: Viewer, *, uids: Collection[str] = (), until: int = 0, **marks: bool) -> int:
    """Mark tasks of this viewer that have ended; others are ignored. How many have changed.

    Args:
        uids: Which ones.
        until: Besides, all that had ended by then (the store's clock, UTC milliseconds).
        marks: ``seen`` or ``dismissed``, as for ``Store.mark``.

    Raises:
        StoreUnavailable: The store did not answer; some may have been marked.
    """
    ended = (record for record in read_own_tasks(viewer).records if record.state in ENDED_STATES)
    chosen = [record for record in ended if record.uid in uids or 0 < record.ended_at <= until]
    return sum(get_store().mark(record.uid, epoch=record.epoch, **marks) for record in chosen)


def _owners(viewer: Viewer) -> tuple[str, ...]:
    return () if viewer.is_locked_out else viewer.owner_keys
