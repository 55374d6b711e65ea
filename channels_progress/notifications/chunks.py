"""How many rows are written or asked for at a time."""

from __future__ import annotations

from django.db import connections

#: More makes no difference, and what waits in memory is bounded.
CHUNK_SIZE = 2_500
# What a query has besides the values of a list.
_OTHER_VALUES = 99


def find_chunk_size(using: str) -> int:
    """How many values a list in a query on this database may have: some databases take no more than so many."""
    limit = connections[using].features.max_query_params
    return min(CHUNK_SIZE, limit - _OTHER_VALUES) if limit else CHUNK_SIZE
