"""What people want: whether they are notified at all, by which deliveries, and of which kinds of notice.

A row says yes or no to all (``"", ""``), to one delivery, to one kind, or to one delivery of one kind. A no wins, so
that who has switched it all off hears nothing, whatever else they had chosen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from channels_progress.models import NotificationPreference


def find_refusals(owners: Collection[str], kind: str, deliveries: Iterable[str], *, using: str) -> dict[str, set[str]]:
    """Which of these owners do not want what, in one query: by delivery; under an empty string who wants none of it.

    Args:
        owners: As ``people.find_owner`` makes them.
        kind: Of the notice.
        deliveries: Those that it would take.
        using: The database.
    """
    refused: dict[str, set[str]] = {"": set(), **{name: set() for name in deliveries}}
    rows: Any = NotificationPreference.objects.using(using).filter(
        is_enabled=False, owner__in=owners, delivery__in=[*refused], kind__in={"", kind}
    )
    for owner, delivery, refused_kind in rows.values_list("owner", "delivery", "kind"):
        # MariaDB finds what is written alike, too.
        if delivery in refused and refused_kind in ("", kind):
            refused[delivery].add(owner)
    return refused
