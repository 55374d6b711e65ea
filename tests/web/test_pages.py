"""``task_context``: who may see what, and what they get."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from celery import Celery
from celery.result import AsyncResult, EagerResult, GroupResult
from django.contrib.auth.models import AnonymousUser, User
from django.urls import clear_script_prefix, set_script_prefix

from channels_progress.conf import get_settings
from channels_progress.events import encode_json
from channels_progress.formats import format_moment, format_time
from channels_progress.pages import build_frame, task_context
from channels_progress.records import Message, Snapshot, TaskRecord, TaskState
from channels_progress.store import Store, get_store
from channels_progress.tokens import Grant, verify_subscription_token
from channels_progress.viewers import NONCE_SESSION_KEY, Viewer
from tests.web.conftest import MakeRequest, MakeTask

CELERY = Celery("tests", set_as_current=False, broker="memory://", backend="cache+memory://")


def handle(uid: str = "a") -> AsyncResult[Any]:
    return AsyncResult(uid, app=CELERY)


def context_of(*args: Any, **options: Any) -> dict[str, Any]:
    context = task_context(*args, **options)
    assert context is not None
    return context


def test_owner_gets_everything_for_the_page(
    make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str
) -> None:
    make_task(owner=owner, body={"title": "Import", "fraction": 0.5}, messages=(Message("warning", "3 skipped"),))
    context = context_of("a", make_request(alice))
    frame = build_frame(get_store().read("a"))  # type: ignore[arg-type]
    grant = verify_subscription_token(context.pop("token"), Viewer(alice))
    assert grant == Grant(("task:a",), frozenset({"cancel"}))
    assert len(context.pop("csrf_token")) == 64
    texts, display = context.pop("texts"), context.pop("display")
    assert (texts["cancel"], display["percent"]) == ("Cancel", "50%")
    frame["now"] = context["frame"]["now"]
    line, at = frame["messages"][0], frame["messages"][0]["at"]
    assert context == {
        "uid": "a",
        "channel": "task:a",
        "socket_url": "/asgi/notifications/",
        "state_url": "/tasks/a/",
        "cancel_url": "/tasks/a/cancel/",
        "token_url": "/tasks/token/",
        "seen_url": "/tasks/mine/",
        "page_url": "/tasks/a/",
        "redirect_hosts": [],
        "return_url": "/page/?tab=2",
        "anonymous": False,
        "can_cancel": True,
        "state": "PROGRESS",
        "liveness": "live",
        "cancelling": False,
        "ended": False,
        "frame": frame,
        "frame_json": encode_json(frame),
        "messages": [{**line, "label": "Warning:", "time": format_time(at), "datetime": format_moment(at)}],
        "has_gap": False,
        "redirect_url": "",
        "title": "Import",
        "is_title_live": True,
        "heading_level": 2,
        "compact": False,
        "headless": False,
        "redirect": True,
    }


def test_context_is_ready_for_json(make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str) -> None:
    context = context_of(make_task(owner=owner, body={"counters": {"skipped": 3}}), make_request(alice))
    assert json.loads(json.dumps(context))["display"]["counters"] == [["skipped", "3"]]


def test_owner_and_secrets_of_the_record_stay_on_the_server(
    make_task: MakeTask, make_request: MakeRequest, owner: str
) -> None:
    make_task(owner="session:very-secret-nonce")
    context = context_of(handle(), make_request(None))
    del context["token"]
    assert "very-secret-nonce" not in json.dumps(context)


@pytest.mark.parametrize("as_record", [False, True], ids=["uid", "record"])
def test_uid_and_record_need_the_owner(
    make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str, store: Store, as_record: bool
) -> None:
    make_task(owner=owner)
    snapshot = store.read("a")
    assert snapshot
    task = snapshot.record if as_record else "a"
    stranger = User.objects.create_user("bob")
    seen = [task_context(task, make_request(user)) is not None for user in (alice, stranger, None)]
    assert seen == [True, False, False]


def test_unknown_uid_is_not_available(make_request: MakeRequest, store: Store, alice: User) -> None:
    assert task_context("nothing-there", make_request(alice)) is None


def may_see_all(user: Any, channel: str) -> bool:
    return channel == "task:a" and user.is_authenticated


def test_authorized_viewer_may_watch_but_not_cancel(
    make_task: MakeTask, make_request: MakeRequest, alice: User, settings: Any
) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": "memory", "SUBSCRIPTION_AUTHORIZER": may_see_all}
    make_task(owner="user:0")
    context = context_of("a", make_request(alice))
    # The authorizer is asked again whenever it is used.
    grant = verify_subscription_token(context["token"], Viewer(alice))
    assert grant == Grant(("task:a",), frozenset(), is_asked=True)
    assert context["can_cancel"] is False


def test_handle_is_a_permission_to_watch_and_cancel(
    make_task: MakeTask, make_request: MakeRequest, alice: User
) -> None:
    make_task(owner="user:0")
    context = context_of(handle(), make_request(alice))
    assert context["can_cancel"]
    assert verify_subscription_token(context["token"], Viewer(alice)).rights == {"cancel"}


def test_view_can_withhold_cancelling(make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str) -> None:
    context = context_of(make_task(owner=owner), make_request(alice), cancel=False)
    assert context["can_cancel"] is False
    assert verify_subscription_token(context["token"], Viewer(alice)).rights == frozenset()


@pytest.mark.parametrize("options", [{"compact": True}, {}])
def test_owner_can_tell_that_they_have_seen_the_end_until_they_have(
    make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str, options: dict[str, Any]
) -> None:
    make_task(state=TaskState.SUCCESS, owner=owner)
    fresh = context_of("a", make_request(alice), **options)
    others = context_of(handle(), make_request(), **options)
    get_store().mark("a", seen=True)
    seen = context_of("a", make_request(alice), **options)
    urls = [context["seen_url"] for context in (fresh, others, seen)]
    assert urls == ["" if options else "/tasks/mine/", "", ""]
    assert [bool(context["csrf_token"]) for context in (fresh, others, seen)] == [not options, False, False]


def test_ended_task_cannot_be_cancelled(
    make_task: MakeTask, make_request: MakeRequest, alice: User, owner: str
) -> None:
    context = context_of(make_task(state=TaskState.SUCCESS, owner=owner), make_request(alice))
    assert (context["ended"], context["can_cancel"]) == (True, False)


def test_anonymous_viewer_of_a_handle_gets_a_nonce_and_a_token_of_it(
    make_task: MakeTask, make_request: MakeRequest
) -> None:
    make_task()
    request = make_request(None)
    context = context_of(handle(), request)
    viewer = Viewer(AnonymousUser(), request.session[NONCE_SESSION_KEY])
    assert verify_subscription_token(context["token"], viewer).channels == ("task:a",)
    assert context["anonymous"]


def test_refused_anonymous_viewer_leaves_no_session_behind(make_task: MakeTask, make_request: MakeRequest) -> None:
    request = make_request(None)
    assert task_context(make_task(), request) is None
    assert (request.session.modified, dict(request.session)) == (False, {})


def test_user_with_login_gets_no_nonce(make_task: MakeTask, make_request: MakeRequest, alice: User) -> None:
    make_task()
    request = make_request(alice)
    context_of(handle(), request)
    assert dict(request.session) == {}


def test_page_without_sessions_shows_the_state_without_a_token(make_task: MakeTask, rf: Any) -> None:
    make_task(body={"fraction": 0.5})
    context = context_of(handle(), rf.get("/"))
    assert (context["token"], context["display"]["percent"]) == ("", "50%")


@pytest.mark.parametrize(
    ("celery_state", "shown", "status"),
    [
        ("PENDING", "PENDING", "Waiting to start"),
        ("RECEIVED", "PENDING", "Waiting to start"),
        ("STARTED", "STARTED", "Running"),
        ("CRUNCHING", "PROGRESS", "Running"),
        ("RETRY", "RETRY", "Trying again soon"),
        ("SUCCESS", "SUCCESS", "Done"),
        ("FAILURE", "FAILURE", "Failed"),
        ("REVOKED", "REVOKED", "Cancelled"),
        ("REJECTED", "IGNORED", "Ended"),
    ],
)
def test_task_without_a_record_shows_celerys_coarse_state(
    make_request: MakeRequest, store: Store, celery_state: str, shown: str, status: str
) -> None:
    result = EagerResult("foreign", RuntimeError("secret-password"), celery_state, "secret-traceback", "foreign.task")
    context = context_of(result, make_request(None))
    assert (context["state"], context["display"]["status"], context["frame"]) == (shown, status, None)
    assert "secret" not in json.dumps(context)


def test_result_backend_that_is_off_reads_unknown(
    make_request: MakeRequest, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    app = Celery("off", set_as_current=False, broker="memory://", backend="disabled://")
    with caplog.at_level(logging.WARNING, "channels_progress.pages"):
        context = context_of(AsyncResult("foreign", app=app), make_request(None))
    assert (context["state"], context["display"]["status"]) == ("UNKNOWN", "The state is not known right now")
    assert [record.message for record in caplog.records] == [
        "The result backend did not tell the state of task foreign."
    ]


@pytest.mark.usefixtures("away")
def test_handle_while_the_store_is_away_gets_a_token_and_no_state(make_request: MakeRequest, alice: User) -> None:
    context = context_of(handle(), make_request(alice))
    assert (context["state"], context["frame"], context["frame_json"]) == ("UNKNOWN", None, "")
    assert verify_subscription_token(context["token"], Viewer(alice)).rights == {"cancel"}


@pytest.mark.usefixtures("away")
def test_uid_while_the_store_is_away_gets_neither(make_request: MakeRequest, alice: User) -> None:
    for request in (make_request(alice), make_request(None)):
        context = context_of("a", request)
        assert (context["state"], context["token"], context["can_cancel"]) == ("UNKNOWN", "", False)
        assert dict(request.session) == {}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/cities/?page=1", "/cities/?page=1"),
        ("http://testserver/cities/", "http://testserver/cities/"),
        ("https://files.example.com/a", "https://files.example.com/a"),
        ("https://evil.example.net/", ""),
        ("//evil.example.net/", ""),
        ("javascript:alert(1)", ""),
    ],
)
def test_link_after_success_leads_only_where_it_may(
    make_task: MakeTask, make_request: MakeRequest, settings: Any, url: str, shown: str
) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": "memory", "ALLOWED_REDIRECT_HOSTS": ["files.example.com"]}
    make_task(state=TaskState.SUCCESS, body={"redirect": url})
    context = context_of(handle(), make_request(None))
    assert (context["redirect_url"], context["redirect_hosts"]) == (shown, ["files.example.com"])


@pytest.mark.parametrize("state", [TaskState.PROGRESS, TaskState.FAILURE, TaskState.REVOKED])
def test_only_success_has_a_link(make_task: MakeTask, make_request: MakeRequest, state: TaskState) -> None:
    make_task(state=state, body={"redirect": "/cities/"})
    assert context_of(handle(), make_request(None))["redirect_url"] == ""


@pytest.mark.parametrize(
    ("age_s", "liveness"), [(0, "live"), (19.999, "live"), (20, "stalled"), (119.999, "stalled"), (120, "lost")]
)
def test_liveness_is_read_by_the_age_of_the_heartbeat(age_s: float, liveness: str) -> None:
    record = TaskRecord(
        uid="a", epoch="e", attempt=1, seq=1, state=TaskState.PROGRESS, body={}, began_at=5, heartbeat_at=1000
    )
    snapshot = Snapshot(record, (), True, now=1000 + int(age_s * 1000))
    assert build_frame(snapshot)["state"]["liveness"] == liveness


def test_addresses_are_below_the_script_name(make_task: MakeTask, make_request: MakeRequest) -> None:
    make_task()
    set_script_prefix("/shop/")
    try:
        context = context_of(handle(), make_request(None))
    finally:
        clear_script_prefix()
    urls = {key: context[key] for key in ("socket_url", "state_url", "cancel_url", "token_url")}
    assert urls == {
        "socket_url": "/shop/" + get_settings().SOCKET_PATH,
        "state_url": "/shop/tasks/a/",
        "cancel_url": "/shop/tasks/a/cancel/",
        "token_url": "/shop/tasks/token/",
    }


def test_page_that_answered_a_post_is_not_returned_to(make_task: MakeTask, make_request: MakeRequest) -> None:
    make_task()
    request = make_request(None)
    request.method = "POST"
    assert context_of(handle(), request)["return_url"] == ""


@pytest.mark.parametrize(
    "task", [7, None, b"a", object(), GroupResult("a", []), {"id": "a"}], ids=lambda task: type(task).__name__
)
def test_anything_else_is_a_slip(make_request: MakeRequest, task: Any) -> None:
    with pytest.raises(TypeError, match="a handle, an AsyncResult or a uid is expected"):
        task_context(task, make_request(None))


@pytest.mark.parametrize("level", [0, 7, "2", None])
def test_heading_level_is_one_to_six(make_request: MakeRequest, level: Any) -> None:
    with pytest.raises(ValueError, match=r"heading_level is .*; 1 to 6 is expected"):
        task_context("a", make_request(None), heading_level=level)
