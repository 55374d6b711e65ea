"""Removes what has expired from a store, all of it, in small steps."""

from __future__ import annotations

from channels_progress.store.contract import Store

#: Records that one call removes at most; a store that has no time for so many removes fewer.
PURGED_AT_ONCE = 1_000


def purge_store(store: Store, *, batch: int = PURGED_AT_ONCE) -> int:
    """Call ``Store.purge`` until nothing is left; how many records were removed.

    Raises:
        StoreUnavailable: The store did not answer; what was removed before stays removed.
    """
    removed = 0
    while some := store.purge(limit=batch):
        removed += some
    return removed
