"""What ``.delay()`` returns, and starting a task for somebody."""

from __future__ import annotations

import pickle
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from celery import Celery, group
from celery.exceptions import TaskRevokedError
from celery.result import AsyncResult, EagerResult, result_from_tuple
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.shortcuts import redirect
from django.test import RequestFactory
from django.utils import timezone, translation
from kombu.exceptions import OperationalError

from channels_progress.records import CancelOutcome, TaskState
from channels_progress.store import get_store
from channels_progress.tasks import EagerTaskHandle, TaskHandle, broadcast_task, get_handle

ALICE = User(pk=7, username="alice")


@broadcast_task(name="handles.look", bind=True)
def look(self: Any, reporter: Any) -> dict[str, Any]:
    return {"language": translation.get_language(), "zone": timezone.get_current_timezone_name()}


def make_request(user: Any = None, session: dict[str, Any] | None = None) -> Any:
    request = RequestFactory().get("/")
    request.user = user or AnonymousUser()
    request.session = {} if session is None else session
    return request


def test_handle_leads_to_the_page_of_its_task(queued: Celery) -> None:
    handle = look.apply_async(task_id="abc")
    assert isinstance(handle, TaskHandle)
    assert redirect(handle).url == handle.get_absolute_url() == "/tasks/abc/"
    assert get_handle("abc") == handle


def test_uuid_is_an_id_as_in_celery(app: Celery) -> None:
    key, names = UUID("5b1d7bb4-3a8c-4f3b-8f2e-0c9d7d0a5c11"), []
    for eager in (True, False):
        app.conf.task_always_eager = eager
        names += [
            look.apply_async(task_id=key).id,
            look.for_user(ALICE).apply_async(task_id=key).id,
            look.s().apply_async(task_id=key).id,
        ]
    assert names == [str(key)] * 6
    assert look.apply(task_id=key).id == get_handle(key).id == str(key)  # type: ignore[arg-type]
    assert get_store().read(str(key)) is not None


def test_handle_is_a_celery_result_in_every_way(queued: Celery) -> None:
    handle = look.delay()
    assert isinstance(handle, AsyncResult)
    assert (handle.state, handle.ready()) == ("PENDING", False)
    assert pickle.loads(pickle.dumps(handle)) == handle
    assert result_from_tuple(handle.as_tuple()) == handle
    assert all(isinstance(result, TaskHandle) for result in group(look.s(), look.si())().results)
    queued.backend.mark_as_done(handle.id, {"a": 1})
    assert handle.get() == {"a": 1}


def test_eager_handle_is_an_eager_result(app: Celery) -> None:
    handle = look.delay()
    assert isinstance(handle, EagerTaskHandle)
    assert isinstance(handle, EagerResult)
    assert handle.successful()
    assert pickle.loads(pickle.dumps(handle)).result == handle.result
    assert handle.cancel() is CancelOutcome.ENDED


def test_sent_task_has_a_record_before_anybody_takes_it(queued: Celery) -> None:
    handle = look.for_user(ALICE).delay()
    record = get_store().read(handle.id).record
    assert (record.state, record.owner, record.attempt, dict(record.body)) == (
        TaskState.PENDING, "user:7", 0, {"title": "Look"},
    )  # fmt: skip


def test_cancelling_a_waiting_task_revokes_it_everywhere(queued: Celery) -> None:
    handle = look.delay()
    with mock.patch.object(queued.control, "revoke") as revoke:
        assert handle.cancel(reason="Wrong file") is CancelOutcome.CANCELLED
    record = get_store().read(handle.id).record
    assert (record.state, record.reason) == (TaskState.REVOKED, "Wrong file")
    assert revoke.call_args.args == (handle.id,)


def test_cancel_does_not_need_the_broker(queued: Celery, caplog: pytest.LogCaptureFixture) -> None:
    handle = look.delay()
    with mock.patch.object(queued.control, "revoke", side_effect=OperationalError("away")):
        assert handle.cancel() is CancelOutcome.CANCELLED
    assert "No worker was told" in caplog.text


def test_cancelling_an_unknown_task_says_so(app: Celery) -> None:
    assert get_handle("nobody-knows").cancel() is CancelOutcome.UNKNOWN
    with pytest.raises(TypeError, match="reason is int"):
        get_handle("x").cancel(reason=5)  # type: ignore[arg-type]


def test_cancelled_before_it_starts_never_runs(app: Celery) -> None:
    get_store().create("gone", owner="", body="{}")
    get_store().request_cancel("gone", reason="Too late")
    handle = look.apply(task_id="gone")
    assert handle.state == "REVOKED"
    with pytest.raises(TaskRevokedError, match="Too late"):
        handle.get()


@pytest.mark.parametrize("send", ["delay", "s", "si", "signature", "apply"])
def test_owner_travels_by_every_way_of_sending(app: Celery, send: str) -> None:
    result = getattr(look.for_user(ALICE), send)()
    if send in ("s", "si", "signature"):
        result = result.delay()
    assert get_store().read(result.id).record.owner == "user:7"


def test_headers_of_the_caller_are_kept(queued: Celery) -> None:
    signature = look.for_user(ALICE, language="de").signature(headers={"mine": 1})
    assert signature.options["headers"] == {"mine": 1, "channels_progress": {"owner": "user:7", "language": "de"}}


def test_request_gives_owner_language_and_time_zone(app: Celery) -> None:
    with translation.override("de"), timezone.override("Asia/Tokyo"):
        bound = look.for_request(make_request(ALICE))
    handle = bound.delay()
    assert handle.get() == {"language": "de", "zone": "Asia/Tokyo"}
    assert get_store().read(handle.id).record.owner == "user:7"


def test_anonymous_request_owns_by_its_session(app: Celery) -> None:
    session: dict[str, Any] = {}
    handle = look.for_request(make_request(session=session)).delay()
    nonce = session["channels_progress_nonce"]
    assert get_store().read(handle.id).record.owner == f"session:{nonce}"


def test_nobody_cannot_own_a_task(app: Celery) -> None:
    with pytest.raises(ValueError, match="a saved, authenticated user is expected"):
        look.for_user(AnonymousUser())
    with pytest.raises(ValueError, match="a saved, authenticated user is expected"):
        look.for_user(User(username="unsaved"))


@pytest.mark.django_db(transaction=True)
def test_handle_is_there_before_the_commit_and_the_message_after(queued: Celery) -> None:
    with transaction.atomic():
        handle = look.for_user(ALICE).delay_on_commit()
        assert isinstance(handle, TaskHandle)
        assert get_store().read(handle.id) is None
    assert get_store().read(handle.id).record.owner == "user:7"


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_after_a_rollback(queued: Celery) -> None:
    with transaction.atomic():
        handle = look.apply_async_on_commit(countdown=5)
        transaction.set_rollback(True)
    assert get_store().read(handle.id) is None


def test_wrong_arguments_do_not_wait_for_the_commit(app: Celery) -> None:
    with pytest.raises(TypeError, match="positional argument"):
        look.delay_on_commit(1)


def test_child_inherits_from_its_parent_of_the_same_owner(app: Celery) -> None:
    @broadcast_task(name="handles.parent", bind=True)
    def parent(self: Any, reporter: Any, pk: int) -> Any:
        return look.for_user(User(pk=pk)).s().options["headers"]["channels_progress"]

    bound = parent.for_user(ALICE, language="de", time_zone="Asia/Tokyo")
    own, foreign = bound.apply_async((7,), task_id="p"), bound.apply_async((8,), task_id="q")
    assert own.get() == {"owner": "user:7", "language": "de", "time_zone": "Asia/Tokyo", "parent": "p"}
    assert foreign.get() == {"owner": "user:8", "parent": "q"}
