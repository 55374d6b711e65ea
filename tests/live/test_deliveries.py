"""Deliveries with a real worker, a real broker, a real database and a real receiver, while things are killed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.test import override_settings

from channels_progress.models import DeliveryRecord, InboxItem
from channels_progress.notifications import notify
from channels_progress.notifications.deliveries.sweeping import ask_for_due
from channels_progress.notifications.marks import mark_all_read
from tests.deliveries.receiver import Receiver, run_receiver
from tests.live.rig import Rig
from tests.store.databases import Router, known_as, make_database
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("faults")
BEAT = {"deliver-due": {"task": "channels_progress.deliver_due", "schedule": 0.5}}
# So many that a worker sends the messages.
MANY = 120


@pytest.fixture(autouse=True)
def unblocked(django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as receiver:
        yield receiver


@contextmanager
def joined_rig(kind: str, folder: Path, broker_url: str, receiver: Receiver, **progress: Any) -> Iterator[Rig]:
    """A rig whose default database is of this kind; this process joins it."""
    webhook = {"url": receiver.url, "allow_private": True, "timeout_s": 60}
    with make_database(kind, folder) as described, known_as(kind, described):
        rig = Rig(
            folder=folder,
            broker_url=broker_url,
            progress={"STORE": "memory", "DELIVERIES": {"webhook": webhook}, **progress},
            databases={"default": described},
        )
        with rig.joined(), override_settings(DATABASE_ROUTERS=[Router(kind, "auth")]):
            yield rig


def make_people(count: int) -> Sequence[User]:
    User.objects.bulk_create(User(username=f"user{number}", password="!") for number in range(count))
    return list(User.objects.order_by("pk"))


def read_states() -> dict[str, str]:
    """The state of each delivery, by the id that its message has."""
    records = DeliveryRecord.objects.annotate(uid=F("item__uid")).values_list("uid", "state")
    return {f"webhook.{uid}": state for uid, state in records}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
def test_killed_worker_loses_nothing_and_sends_nothing_twice(
    kind: str, tmp_path: Path, redis_url: str, receiver: Receiver
) -> None:
    receiver.quick = 8
    with joined_rig(kind, tmp_path, redis_url, receiver, DELIVERY_UNKNOWN_AFTER_S=1) as rig:
        with rig.run_worker(concurrency=2) as worker:
            notify(make_people(MANY), "Hello", deliveries=["webhook"])
            # Both of its children are in the middle of sending now.
            wait_until(lambda: len(receiver.received) == 10)
            worker.kill()
        interrupted = {request.headers["webhook-id"] for request in receiver.received[8:]}
        assert {state for uid, state in read_states().items() if uid in interrupted} == {"SENDING"}
        receiver.quick = 1_000_000
        receiver.go_on.set()
        with rig.run_worker(concurrency=2, name="again"):
            # What the killed one had in its hands besides is looked at a minute later.
            DeliveryRecord.objects.filter(state="WAITING").update(look_at=F("due_at"))
            wait_until(lambda: ask_for_due() and {*read_states().values()} == {"SUCCEEDED", "UNKNOWN"})
        expected = {uid: "UNKNOWN" if uid in interrupted else "SUCCEEDED" for uid in read_states()}
        assert (len(expected), read_states()) == (MANY, expected)
        assert receiver.count() == dict.fromkeys(expected, 1)


def test_tentative_delivery_survives_restarts_of_worker_and_broker(
    tmp_path: Path, own_redis: Any, receiver: Receiver
) -> None:
    options = {"DELIVERY_COUNTDOWN_MAX_S": 0.001}
    with joined_rig("sqlite", tmp_path, own_redis.url, receiver, **options) as rig:
        rig = replace(rig, celery={"beat_schedule": BEAT})
        ada, bob = make_people(2)
        with rig.run_worker("-B", "-s", str(tmp_path / "beat")) as worker:
            for user in (ada, bob):
                notify(user, f"For {user.pk}", deliveries=["webhook"], countdown=3, condition="unread")
            worker.kill()
        own_redis.stop()
        own_redis.start()
        mark_all_read(bob)
        assert sorted(DeliveryRecord.objects.values_list("state", flat=True)) == ["CANCELLED", "WAITING"]
        with rig.run_worker("-B", "-s", str(tmp_path / "beat"), name="again"):
            wait_until(lambda: DeliveryRecord.objects.filter(state="SUCCEEDED").exists())
        [item] = InboxItem.objects.filter(user_pk=ada.pk)
        assert receiver.count() == {f"webhook.{item.uid}": 1}
        record = DeliveryRecord.objects.get(item=item)
        assert record.claimed_at is not None
        assert record.claimed_at >= record.due_at


def test_countdown_that_the_broker_hands_out_again_is_sent_once(
    tmp_path: Path, redis_url: str, receiver: Receiver
) -> None:
    def count(said: str) -> int:
        return worker.log.count(said) + other.log.count(said)

    with joined_rig("sqlite", tmp_path, redis_url, receiver) as rig:
        # Shorter than a worker takes to start, which takes shorter than the countdown: it gives back what is older.
        rig = replace(rig, celery={"broker_transport_options": {"visibility_timeout": 1}})
        with rig.run_worker() as worker:
            notify(make_people(1), "Hello", deliveries=["webhook"], countdown=20)
            wait_until(lambda: "] received" in worker.log)
            with rig.run_worker(name="other") as other:
                wait_until(lambda: count("] received") > 1)
                assert receiver.received == []
                wait_until(lambda: count("succeeded in") == count("] received"))
        assert receiver.count() == dict.fromkeys(read_states(), 1)
        assert [*read_states().values()] == ["SUCCEEDED"]
