"""``manage.py prune_notifications``: what it removes and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from channels_progress import inbox
from channels_progress.audiences import ALL
from channels_progress.broadcast_events import message_event
from channels_progress.models import Notification, Receipt


def prune(*arguments: str) -> str:
    out = StringIO()
    call_command("prune_notifications", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def stored(db: None) -> None:
    """Two that have expired, one of them acknowledged, and one that has not."""
    for lifetime in (timedelta(0), timedelta(0), timedelta(days=1)):
        inbox.store(ALL, message_event("a"), lifetime)
    inbox.acknowledge("user:1", Notification.objects.values_list("pk", flat=True)[:1], [ALL.channel])


@pytest.fixture
def missing_table(transactional_db: None) -> Iterator[None]:
    with connection.schema_editor() as editor:
        editor.delete_model(Notification)
    yield
    with connection.schema_editor() as editor:
        editor.create_model(Notification)


def test_expired_are_removed_with_their_receipts(stored: None) -> None:
    assert prune() == "2 expired notifications removed.\n"
    assert prune() == "0 expired notifications removed.\n"
    assert (Notification.objects.count(), Receipt.objects.count()) == (1, 0)


def test_dry_run_removes_nothing(stored: None) -> None:
    assert prune("--dry-run") == "2 expired notifications would be removed.\n"
    assert (Notification.objects.count(), Receipt.objects.count()) == (3, 1)


@pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
def test_missing_table_is_one_line_that_says_what_to_do(missing_table: None, arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=r"^The database refused: .+ \(Has manage.py migrate been run\?\)$"):
        prune(*arguments)
