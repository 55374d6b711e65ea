"""Messages that wait for a transaction."""

from __future__ import annotations

import pytest
from django.db import transaction

from channels_progress.testing import RecordingReporter


@pytest.mark.django_db(transaction=True)
def test_on_commit_waits_for_the_commit() -> None:
    reporter = RecordingReporter()
    with transaction.atomic():
        reporter.message("saved", on_commit=True)
        reporter.message("saving")
        assert reporter.texts == ["saving"]
    assert reporter.texts == ["saving", "saved"]


@pytest.mark.django_db(transaction=True)
def test_on_commit_says_nothing_after_a_rollback() -> None:
    reporter = RecordingReporter()
    with transaction.atomic():
        reporter.message("saved", on_commit=True)
        transaction.set_rollback(True)
    assert reporter.texts == []


@pytest.mark.django_db(transaction=True)
def test_on_commit_outside_a_transaction_says_it_at_once() -> None:
    reporter = RecordingReporter()
    reporter.message("saved", on_commit=True)
    assert reporter.texts == ["saved"]


@pytest.mark.django_db(transaction=True)
def test_a_bad_message_raises_at_the_call_not_at_the_commit() -> None:
    reporter = RecordingReporter()
    with transaction.atomic(), pytest.raises(TypeError):
        reporter.message(b"saved", on_commit=True)


@pytest.mark.django_db(transaction=True)
def test_a_cancel_does_not_break_a_commit() -> None:
    reporter = RecordingReporter()
    with transaction.atomic():
        reporter.message("saved", on_commit=True)
        reporter.cancel()
    assert reporter.texts == ["saved"]
