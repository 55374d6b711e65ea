"""Deliveries as Celery tasks: what is published, and what a task does."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from django.contrib.auth.models import User
from django.utils import timezone
from kombu.exceptions import OperationalError

from channels_progress.models import DeliveryRecord
from channels_progress.notifications import notify
from channels_progress.notifications.deliveries.dispatching import find_dispatcher
from channels_progress.tasks import deliveries
from channels_progress.tasks.deliveries import deliver_due, deliver_many, deliver_one, publish
from tests.celery_apps import own_celery_apps
from tests.deliveries.ways import sent


@pytest.fixture
def app() -> Iterator[Celery]:
    """Its broker is in this process."""
    with own_celery_apps() as make:
        # All apps of a process share what is in its memory.
        app = make("memory://", task_default_queue=f"q{uuid4().hex}")
        app.set_current()
        yield app


def read_queue(app: Celery) -> list[tuple[str, list[Any], str | None]]:
    """Name, arguments and time of each message."""
    found = []
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue(app.conf.task_default_queue)
        while queue.qsize():
            message = queue.get(block=False)
            found.append((message.headers["task"], message.payload[0], message.headers["eta"]))
            message.ack()
        queue.close()
    return found


def test_each_of_a_few_is_a_message(app: Celery) -> None:
    publish([3, 4], timezone.now())
    assert read_queue(app) == [("channels_progress.deliver", [3], None), ("channels_progress.deliver", [4], None)]


def test_what_is_due_later_is_a_message_with_a_time(app: Celery) -> None:
    due_at = timezone.now() + timedelta(seconds=60)
    publish([3], due_at)
    assert read_queue(app) == [("channels_progress.deliver", [3], due_at.isoformat())]


def test_request_for_many_sends_few_messages(app: Celery) -> None:
    due_at = timezone.now()
    publish(range(1, 10_001), due_at)
    messages = read_queue(app)
    assert {name for name, _, _ in messages} == {"channels_progress.deliver_many"}
    assert [len(args[0]) for _, args, _ in messages] == [1_000] * 10
    assert [record_id for _, args, _ in messages for record_id in args[0]] == [*range(1, 10_001)]


def test_worker_sends_the_messages_of_many(app: Celery) -> None:
    due_at = timezone.now() + timedelta(seconds=60)
    deliver_many([3, 4], due_at.isoformat())
    assert read_queue(app) == [("channels_progress.deliver", [number], due_at.isoformat()) for number in (3, 4)]


@pytest.fixture
def notify_alice(alice: User, change_settings: Callable[..., None]) -> Callable[..., int]:
    """Notifies alice, and returns the key of the record."""
    change_settings(DELIVERY_DISPATCHER=None)

    def notify_alice(**options: Any) -> int:
        notify(alice, "Hello", deliveries=["recorder"], on_commit=False, **options)
        return DeliveryRecord.objects.get().pk

    return notify_alice


def test_celery_is_asked_where_nobody_else_is_named(app: Celery, notify_alice: Callable[..., int]) -> None:
    assert find_dispatcher() is publish
    record_id = notify_alice()
    assert read_queue(app) == [("channels_progress.deliver", [record_id], None)]


def test_task_delivers_once(app: Celery, notify_alice: Callable[..., int]) -> None:
    record_id = notify_alice()
    assert [deliver_one(record_id), deliver_one(record_id)] == ["SUCCEEDED", None]
    assert sent == [("recorder", "Hello")]


def test_eager_tasks_deliver_at_once_what_is_due(app: Celery, notify_alice: Callable[..., int]) -> None:
    app.conf.task_always_eager = True
    notify_alice()
    assert sent == [("recorder", "Hello")]


def test_eager_tasks_leave_what_is_due_later(app: Celery, notify_alice: Callable[..., int]) -> None:
    app.conf.task_always_eager = True
    notify_alice(countdown=60)
    assert (sent, DeliveryRecord.objects.get().state) == ([], "WAITING")


def test_message_that_comes_early_is_asked_for_again(app: Celery, notify_alice: Callable[..., int]) -> None:
    record_id = notify_alice(countdown=60)
    due_at = DeliveryRecord.objects.get().due_at.isoformat()
    assert deliver_one(record_id) is None
    assert read_queue(app) == [("channels_progress.deliver", [record_id], due_at)] * 2


def test_beat_can_ask_for_what_was_lost_by_name(app: Celery, notify_alice: Callable[..., int]) -> None:
    record_id = notify_alice()
    read_queue(app)
    DeliveryRecord.objects.update(look_at=timezone.now())
    assert app.tasks["channels_progress.deliver_due"].name == deliver_due.name
    assert deliver_due() == {"due": 1, "unknown": 0}
    assert read_queue(app) == [("channels_progress.deliver", [record_id], None)]


def test_redis_that_does_not_answer_is_not_waited_for(monkeypatch: Any) -> None:
    monkeypatch.setitem(deliveries._TIMEOUTS, "socket_timeout", 0.1)
    with own_celery_apps() as make, socket.create_server(("127.0.0.1", 0)) as frozen:
        # It takes connections, as the system does that for it, and says nothing.
        app = make(f"redis://127.0.0.1:{frozen.getsockname()[1]}/0")
        app.set_current()
        with pytest.raises(OperationalError, match="Timeout"):
            publish([3], timezone.now())


def test_how_long_redis_is_waited_for_is_the_projects_to_say(monkeypatch: Any) -> None:
    monkeypatch.setitem(deliveries._TIMEOUTS, "socket_timeout", 600.0)
    with own_celery_apps() as make, socket.create_server(("127.0.0.1", 0)) as frozen:
        options = {"socket_timeout": 0.1}
        app = make(f"redis://127.0.0.1:{frozen.getsockname()[1]}/0", broker_transport_options=options)
        app.set_current()
        with pytest.raises(OperationalError, match="Timeout"):
            publish([3], timezone.now())


@pytest.mark.django_db
def test_broker_that_is_away_raises_nothing_into_notify(alice: User, change_settings: Any, caplog: Any) -> None:
    change_settings(DELIVERY_DISPATCHER=None)
    with own_celery_apps() as make:
        make("redis://127.0.0.1:9/0").set_current()
        with pytest.raises(OperationalError):
            publish([3], timezone.now())
        notify(alice, "Hello", deliveries=["recorder"], on_commit=False)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("channels_progress")] == [
        "Deliveries wait for the periodic task: nobody takes them for now."
    ]
    assert DeliveryRecord.objects.get().state == "WAITING"
