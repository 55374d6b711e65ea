"""A few cities before anybody has imported any, so that there are pages to send something to."""

from __future__ import annotations

from heapq import nlargest

from example_project.cities.models import City
from example_project.cities.rows import RowCleaner, read_rows

SEEDED = 10


def seed_cities() -> None:
    """Add the biggest, unless there are some."""
    if City.objects.exists():
        return
    cleaner = RowCleaner()
    rows = nlargest(SEEDED, read_rows(15_000), key=lambda row: row["population"])
    City.objects.bulk_create(City(**cleaner.clean(row)) for row in rows)
