"""What goes wrong on the way to a send: nothing has left, so it is tried again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError

from channels_progress.models import DeliveryRecord
from channels_progress.notifications import notify
from channels_progress.notifications.deliveries import running
from channels_progress.notifications.deliveries.running import deliver
from tests.deliveries.ways import sent

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def configured(change_settings: Callable[..., None]) -> None:
    change_settings(DELIVERY_ATTEMPTS=2)


def fail(*args: Any, **kwargs: Any) -> None:
    raise OperationalError("the users' database is away")


@pytest.mark.parametrize("step", ["load_outgoing", "find_refusals"])
def test_what_cannot_be_read_after_the_claim_is_tried_again(alice: User, monkeypatch: Any, step: str) -> None:
    notify(alice, "Hello", deliveries=["recorder"])
    monkeypatch.setattr(running, step, fail)
    record = DeliveryRecord.objects.get()
    assert deliver(record.pk) == "WAITING"
    record.refresh_from_db()
    assert (record.claim, record.error) == ("", "OperationalError: the users' database is away")
    monkeypatch.undo()
    DeliveryRecord.objects.update(due_at=record.look_at.replace(year=2020))
    assert (deliver(record.pk), sent) == ("SUCCEEDED", [("recorder", "Hello")])


def test_what_cannot_be_read_before_the_claim_stays_as_it_is(alice: User, monkeypatch: Any) -> None:
    notify(alice, "Hello", deliveries=["recorder"])
    record = DeliveryRecord.objects.get()
    monkeypatch.setattr(running, "_find_namespace", fail)
    with pytest.raises(OperationalError):
        deliver(record.pk)
    monkeypatch.undo()
    assert (deliver(record.pk), sent) == ("SUCCEEDED", [("recorder", "Hello")])
