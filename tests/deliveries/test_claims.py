"""However many would send the same delivery at once, one does: on each database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connections, transaction
from django.utils import timezone

from channels_progress.inbox_tables import DeliveryState
from channels_progress.models import DeliveryRecord
from channels_progress.notifications import notify
from channels_progress.notifications.deliveries.claims import Claim, claim, insist, postpone, settle
from channels_progress.notifications.deliveries.running import deliver
from channels_progress.notifications.deliveries.sweeping import mark_unknown
from channels_progress.notifications.marks import mark_all_read
from tests.deliveries.ways import sent

AT_ONCE = 4


@pytest.fixture(autouse=True)
def configured(change_settings: Callable[..., None], request: pytest.FixtureRequest) -> None:
    # After the namespace of the databases, where a test has them.
    if "alias" in request.fixturenames:
        request.getfixturevalue("alias")
    change_settings(DELIVERY_UNKNOWN_AFTER_S=900)


@pytest.fixture
def carol(alias: str) -> User:
    return User.objects.create(username="carol", email="carol@example.com")


def notify_all(user: User, count: int, *deliveries: str, **options: Any) -> list[DeliveryRecord]:
    for number in range(count):
        notify(user, f"Text {number}", deliveries=deliveries, on_commit=False, **options)
    return list(DeliveryRecord.objects.order_by("pk"))


def race(alias: str, functions: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each returns; all begin at the same moment, each on a connection of its own."""
    barrier = threading.Barrier(len(functions))

    def run(function: Callable[[], Any]) -> Any:
        try:
            connections[alias].ensure_connection()
            barrier.wait(60)
            return function()
        finally:
            connections[alias].close()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


def read_states(records: Sequence[DeliveryRecord]) -> list[tuple[str, int]]:
    found = DeliveryRecord.objects.in_bulk([record.pk for record in records])
    return [(found[record.pk].state, found[record.pk].attempts) for record in records]


def test_one_of_many_claimers_gets_a_record(alias: str, carol: User) -> None:
    records = notify_all(carol, 10, "recorder")
    for record in records:
        claims = race(alias, [lambda record=record: claim(record, digest_s=0, using=alias)] * AT_ONCE)
        [claimed] = [each for each in claims if each]
        assert [row.pk for row in claimed.records] == [record.pk]
    assert read_states(records) == [("SENDING", 1)] * 10


def test_many_workers_send_each_delivery_once(alias: str, carol: User) -> None:
    records = notify_all(carol, 12, "recorder")
    answers = race(alias, [lambda: [deliver(record.pk) for record in records] for _ in range(AT_ONCE)])
    assert sorted(sent) == sorted(("recorder", f"Text {number}") for number in range(12))
    assert read_states(records) == [("SUCCEEDED", 1)] * 12
    assert [len([state for state in each if state]) for each in zip(*answers, strict=True)] == [1] * 12


def test_digest_is_one_although_several_workers_begin_it(alias: str, carol: User) -> None:
    for _ in range(5):
        records = notify_all(carol, AT_ONCE, "digest")
        DeliveryRecord.objects.update(due_at=timezone.now())
        race(alias, [lambda record=record: deliver(record.pk) for record in records])
        assert sent == [("digest", *(f"Text {number}" for number in range(AT_ONCE)))]
        assert read_states(records) == [("SUCCEEDED", 1)] * AT_ONCE
        sent.clear()
        DeliveryRecord.objects.all().delete()


def test_success_counts_once_whoever_says_it(alias: str, carol: User) -> None:
    [record] = notify_all(carol, 1, "recorder")
    claimed = claim(record, digest_s=0, using=alias)
    assert claimed
    answers = race(alias, [lambda: settle(claimed, claimed.records, DeliveryState.SUCCEEDED)] * AT_ONCE)
    assert sorted(answers) == [0, 0, 0, 1]
    assert read_states([record]) == [("SUCCEEDED", 1)]


def test_read_and_claim_at_once_end_in_one_of_the_two(alias: str, carol: User) -> None:
    for _ in range(5):
        [record] = notify_all(carol, 1, "recorder", countdown=0.001, condition="unread")
        DeliveryRecord.objects.update(due_at=timezone.now())
        race(alias, [lambda record=record: deliver(record.pk), lambda: mark_all_read(carol)])
        [(state, _)] = read_states([record])
        assert (state, len(sent)) in [("SUCCEEDED", 1), ("CANCELLED", 0)]
        sent.clear()
        DeliveryRecord.objects.all().delete()


def claim_one(user: User, alias: str) -> Claim:
    [record] = notify_all(user, 1, "recorder")
    claimed = claim(record, digest_s=0, using=alias)
    assert claimed
    return claimed


def make_silent(claimed: Claim) -> None:
    DeliveryRecord.objects.filter(claim=claimed.token).update(look_at=timezone.now() - timedelta(seconds=1))


def test_delivery_that_nobody_heard_of_is_unknown_and_sent_by_nobody(alias: str, carol: User) -> None:
    claimed = claim_one(carol, alias)
    assert mark_unknown() == 0
    make_silent(claimed)
    assert (mark_unknown(), mark_unknown()) == (1, 0)
    assert deliver(claimed.records[0].pk) is None
    assert (sent, read_states(claimed.records)) == ([], [("UNKNOWN", 1)])


def test_late_success_counts_while_the_claim_is_its_own(alias: str, carol: User) -> None:
    claimed = claim_one(carol, alias)
    make_silent(claimed)
    mark_unknown()
    assert settle(claimed, claimed.records, DeliveryState.SUCCEEDED) == 1
    assert read_states(claimed.records) == [("SUCCEEDED", 1)]
    assert DeliveryRecord.objects.get().error == ""


def test_late_success_does_not_count_once_it_was_sent_again(alias: str, carol: User) -> None:
    claimed = claim_one(carol, alias)
    DeliveryRecord.objects.update(state=DeliveryState.WAITING, claim="")
    assert settle(claimed, claimed.records, DeliveryState.SUCCEEDED) == 0
    assert postpone(claimed, claimed.records, "late", timezone.now()) == 0
    assert read_states(claimed.records) == [("WAITING", 1)]
    another = claim(claimed.records[0], digest_s=0, using=alias)
    assert settle(claimed, claimed.records, DeliveryState.SUCCEEDED) == 0
    assert read_states(claimed.records) == [("SENDING", 2)]
    assert another
    assert settle(another, another.records, DeliveryState.SUCCEEDED) == 1


def test_claim_in_a_transaction_is_refused(alias: str, carol: User) -> None:
    [record] = notify_all(carol, 1, "recorder")
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic(using=alias):
        deliver(record.pk)
    assert (sent, read_states([record])) == ([], [("WAITING", 0)])


def test_claim_is_committed_where_nothing_is_by_itself(alias: str, carol: User) -> None:
    [record] = notify_all(carol, 1, "recorder")
    transaction.set_autocommit(False, using=alias)
    try:
        assert deliver(record.pk) == "SUCCEEDED"
        # As Celery does after each task, by closing the connection.
        transaction.rollback(using=alias)
    finally:
        transaction.set_autocommit(True, using=alias)
    assert read_states([record]) == [("SUCCEEDED", 1)]


@pytest.mark.django_db
def test_claim_of_others_that_came_later_is_given_back(alice: User, monkeypatch: Any) -> None:
    first, second = notify_all(alice, 2, "digest")
    DeliveryRecord.objects.filter(pk=first.pk).update(state=DeliveryState.SUCCEEDED)
    assert claim(first, digest_s=60, using="default") is None
    assert read_states([first, second]) == [("SUCCEEDED", 0), ("WAITING", 0)]
    assert DeliveryRecord.objects.get(pk=second.pk).claim == ""


@pytest.mark.django_db(transaction=True)
def test_passing_trouble_of_the_database_is_tried_again() -> None:
    answers: list[Any] = [OperationalError("deadlock"), OperationalError("deadlock"), "done"]

    def answer() -> str:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return str(found)

    assert insist(answer, "default") == "done"
    answers[:] = [OperationalError("gone")] * 3
    with pytest.raises(OperationalError):
        insist(answer, "default")
