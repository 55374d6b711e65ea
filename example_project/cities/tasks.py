"""Importing the world's cities: leniently, and all or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from celery import shared_task
from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse

from channels_progress.exceptions import PublicError
from channels_progress.notifications import notify
from channels_progress.records import TaskState
from channels_progress.store import get_store
from channels_progress.tasks import TaskReporter, broadcast_task
from example_project.cities.models import City
from example_project.cities.rows import RowCleaner, UnusableRow, read_rows

Item = TypeVar("Item")

BATCH_ROWS = 500
WARNINGS_SHOWN = 20
#: A page that is looked at says so within this time of the end.
SEEN_WITHIN_S = 5
MAIL_AFTER_S = 60
UPDATED_FIELDS = [field.name for field in City._meta.fields if not field.primary_key]


@broadcast_task(title="Import cities", stages={"Read": 1, "Validate": 2, "Save": 7})
def import_cities(reporter: TaskReporter, min_population: int = 15_000) -> dict[str, int]:
    """Import one of GeoNames' tables (``rows.TABLES``), skipping unusable rows. Importing again updates.

    Returns how many rows were ``saved`` and ``skipped``.
    """
    with reporter.stage("Read"):
        rows = read_rows(min_population)
    with reporter.stage("Validate"):
        cities, skipped = _validate(reporter, rows)
    with reporter.stage("Save"):
        reporter.progress(0, len(cities), "Saving the cities", unit="row")
        for batch in _batches(cities):
            _save(batch)
            reporter.advance(len(batch))
    reporter.message(f"{len(cities):,} cities imported", level="success")
    reporter.redirect(reverse("cities:list"))
    tell_if_unseen.apply_async([reporter.uid, len(cities)], countdown=SEEN_WITHIN_S)
    return {"saved": len(cities), "skipped": skipped}


@shared_task(ignore_result=True)
def tell_if_unseen(uid: str, saved: int) -> None:
    """Tell whoever started this import of its end, if they have left its page; by e-mail, too, if they stay away."""
    snapshot = get_store().read(uid)
    if snapshot is None or snapshot.record.seen or snapshot.record.state != TaskState.SUCCESS:
        return
    kind, _, key = snapshot.record.owner.partition(":")
    # Visitors without login have no inbox.
    if kind != "user":
        return
    notify(
        User.objects.filter(pk=key),
        f"Your import has finished: {saved:,} cities.",
        level="success",
        kind="import",
        url=reverse("cities:list"),
        deliveries=["email"],
        countdown=MAIL_AFTER_S,
        condition="unread",
    )


@broadcast_task(title="Import cities, all or nothing")
def import_cities_strictly(reporter: TaskReporter, min_population: int = 15_000) -> int:
    """Import one of GeoNames' tables in one transaction; the first unusable row ends it and saves nothing.

    Returns how many rows were saved.
    """
    rows = read_rows(min_population)
    cleaner = RowCleaner()
    tracked = reporter.track(enumerate(rows, start=1), "Importing", total=len(rows), unit="row")
    with transaction.atomic():
        for batch in _batches(_clean_or_fail(cleaner, number, row) for number, row in tracked):
            _save(batch)
    reporter.redirect(reverse("cities:list"))
    return len(rows)


def _validate(reporter: TaskReporter, rows: Sequence[Mapping[str, Any]]) -> tuple[list[City], int]:
    """The usable rows as cities, and the number of others."""
    cleaner = RowCleaner()
    cities = []
    skipped = 0
    for row in reporter.track(rows, "Checking the rows", unit="row"):
        try:
            cities.append(City(**cleaner.clean(row)))
        except UnusableRow as error:
            skipped += 1
            reporter.set(skipped=skipped)
            if skipped <= WARNINGS_SHOWN:
                reporter.message(f"Skipped {error}", level="warning")
    if skipped > WARNINGS_SHOWN:
        reporter.message(f"Skipped {skipped - WARNINGS_SHOWN:,} more rows", level="warning")
    return cities, skipped


def _clean_or_fail(cleaner: RowCleaner, number: int, row: Mapping[str, Any]) -> City:
    try:
        return City(**cleaner.clean(row))
    except UnusableRow as error:
        raise PublicError(f"Row {number:,} is unusable: {error}. Nothing was saved.") from error


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH_ROWS)):
        yield batch


def _save(cities: Sequence[City]) -> None:
    City.objects.bulk_create(cities, update_conflicts=True, unique_fields=["geoname_id"], update_fields=UPDATED_FIELDS)
