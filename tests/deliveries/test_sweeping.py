"""What was lost is asked for again, what has become due is asked for, and nothing floods a queue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from channels_progress.models import DeliveryRecord
from channels_progress.notifications import notify
from channels_progress.notifications.deliveries import sweeping
from channels_progress.notifications.deliveries.running import deliver
from channels_progress.notifications.deliveries.sweeping import Swept, ask_for_due, count_unswept, deliver_due
from tests.deliveries.ways import Recorder, asked, sent

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def configured(change_settings: Callable[..., None]) -> None:
    change_settings()


def make(user: User, count: int = 1, *, late_s: float = 0, **options: Any) -> list[int]:
    """Records that nobody has asked for, due so long ago."""
    for number in range(count):
        notify(user, f"Text {number}", deliveries=["recorder"], on_commit=False, **options)
    due_at = timezone.now() - timedelta(seconds=late_s)
    DeliveryRecord.objects.update(due_at=due_at, look_at=due_at)
    asked.clear()
    return list(DeliveryRecord.objects.order_by("pk").values_list("pk", flat=True))


def test_what_is_due_is_asked_for(alice: User) -> None:
    ids = make(alice, 3)
    assert ask_for_due() == Swept(due=3, unknown=0)
    assert [asked_ids for asked_ids, _ in asked] == [ids]


def test_what_is_not_due_is_not_asked_for(alice: User) -> None:
    notify(alice, "Later", deliveries=["recorder"], countdown=3600, on_commit=False)
    assert (ask_for_due(), asked) == (Swept(due=0, unknown=0), [])


@pytest.mark.parametrize(("late_s", "wait_s"), [(0, 60), (59, 60), (70, 120), (3_000, 3_840), (100_000, 122_880)])
def test_what_was_asked_for_is_left_as_long_again_as_it_is_late(alice: User, late_s: int, wait_s: int) -> None:
    make(alice, late_s=late_s)
    before = timezone.now()
    assert [ask_for_due().due, ask_for_due().due] == [1, 0]
    look_at = DeliveryRecord.objects.get().look_at
    assert before <= look_at - timedelta(seconds=wait_s) <= timezone.now()


def test_what_is_being_sent_is_left_until_nobody_was_heard_of(alice: User) -> None:
    [record_id] = make(alice)
    DeliveryRecord.objects.update(state="SENDING", look_at=timezone.now() + timedelta(seconds=5))
    assert ask_for_due() == Swept(due=0, unknown=0)
    DeliveryRecord.objects.update(look_at=timezone.now())
    assert [ask_for_due(), ask_for_due()] == [Swept(due=0, unknown=1), Swept(due=0, unknown=0)]
    assert DeliveryRecord.objects.values("state", "error").get() == {"state": "UNKNOWN", "error": sweeping.UNHEARD}
    assert (deliver(record_id), sent) == (None, [])


def test_many_are_asked_for_in_batches_up_to_the_limit(alice: User, monkeypatch: Any) -> None:
    monkeypatch.setattr(sweeping, "_BATCH", 2)
    ids = make(alice, 5)
    assert ask_for_due(limit=3).due == 3
    assert [asked_ids for asked_ids, _ in asked] == [ids[:2], ids[2:3]]
    assert ask_for_due().due == 2


def test_nobody_is_asked_twice_where_nobody_answers(
    alice: User, change_settings: Callable[..., None], monkeypatch: Any, caplog: Any
) -> None:
    monkeypatch.setattr(sweeping, "_BATCH", 1)
    make(alice, 3)
    change_settings(DELIVERY_DISPATCHER="tests.deliveries.ways.refuse")
    assert ask_for_due() == Swept(due=1, unknown=0, is_taken=False)
    assert len(caplog.records) == 1


def test_due_ones_are_carried_out_here(alice: User) -> None:
    make(alice, 3)
    assert deliver_due() == Swept(due=3, unknown=0)
    assert sent == [("recorder", f"Text {number}") for number in range(3)]
    assert deliver_due() == Swept(due=0, unknown=0)


def test_one_that_fails_does_not_hold_up_the_others(alice: User) -> None:
    make(alice, 2)
    failures = iter([ConnectionError("away")])
    Recorder.raises = lambda: next(failures)  # then StopIteration, which is a failure like any other
    deliver_due()
    assert sorted(DeliveryRecord.objects.values_list("state", "attempts")) == [("WAITING", 1), ("WAITING", 1)]


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("deliver_due", *arguments, stdout=out)
    return out.getvalue()


def test_command_delivers(alice: User) -> None:
    make(alice, 2)
    assert run() == "2 were due. 0 may have been sent or not: their worker is gone.\n"
    assert len(sent) == 2


def test_command_can_leave_it_to_workers(alice: User, change_settings: Callable[..., None]) -> None:
    ids = make(alice, 2)
    assert run("--queue", "--limit", "1").startswith("1 were due.")
    assert ([asked_ids for asked_ids, _ in asked], sent) == ([ids[:1]], [])
    change_settings(DELIVERY_DISPATCHER="tests.deliveries.ways.refuse")
    with pytest.raises(CommandError, match="Nobody takes deliveries"):
        run("--queue")


def test_command_refuses_a_limit_of_none() -> None:
    with pytest.raises(CommandError, match="--limit is 0; 1 or more is expected"):
        run("--limit", "0")


def test_what_nobody_has_asked_for_in_time_is_counted(alice: User) -> None:
    make(alice, 2, late_s=60)
    assert count_unswept() == 0
    make(alice, late_s=3_600)
    assert count_unswept() == 3
    ask_for_due()
    assert count_unswept() == 0


def test_due_ones_wait_for_nobody_where_nobody_is_asked(
    alice: User, change_settings: Callable[..., None], monkeypatch: Any
) -> None:
    change_settings(DELIVERY_DISPATCHER=None)
    monkeypatch.setattr("channels_progress.notifications.deliveries.dispatching.find_spec", lambda name: None)
    notify(alice, "Hello", deliveries=["recorder"])
    call_command("deliver_due")
    assert sent == [("recorder", "Hello")]
