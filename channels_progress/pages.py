"""What a page needs to show a task: plain functions behind the tags, for Jinja, DRF and single-page apps too."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.templatetags.static import static
from django.urls import get_script_prefix, reverse
from django.utils.functional import Promise

from channels_progress.addresses import leads_only_to
from channels_progress.authorization import may_cancel, may_watch, may_watch_found
from channels_progress.conf import get_settings
from channels_progress.display import describe_task, describe_unknown
from channels_progress.events import encode_json, snapshot_liveness, state_data, task_channel, task_frame
from channels_progress.exceptions import StoreUnavailable
from channels_progress.formats import format_moment, format_time
from channels_progress.records import ENDED_STATES, Snapshot, TaskRecord, TaskState
from channels_progress.store import get_store
from channels_progress.texts import TEXTS, client_texts
from channels_progress.tokens import issue_subscription_token
from channels_progress.viewers import Viewer, get_request_viewer, identify_viewer

__all__ = ["assets_context", "client_texts", "task_context"]

logger = logging.getLogger(__name__)

#: Stands where a state cannot be read right now; not one of Celery's.
UNKNOWN_STATE = "UNKNOWN"

# States of a result backend that are not ours. Any other is a project's own custom one, and tasks in those run.
_FOREIGN_STATES = {"RECEIVED": TaskState.PENDING, "REJECTED": TaskState.IGNORED}


def task_context(
    task: Any,
    request: HttpRequest,
    *,
    title: str | Promise = "",
    heading_level: int = 2,
    compact: bool = False,
    headless: bool = False,
    cancel: bool = True,
    redirect: bool = True,
) -> dict[str, Any] | None:
    """Everything to show one task to whoever sent ``request``, as JSON-ready values; None where they may not see it.

    Args:
        task: A handle or any ``AsyncResult``: passing it *is* the permission to watch and to cancel. Or a uid or a
            ``TaskRecord``: then the viewer must be the owner, or the ``SUBSCRIPTION_AUTHORIZER`` must agree.
        title: Text shown instead of the task's own title.
        heading_level: Of the title, 1 to 6.
        compact: One row with title, status, bar and the cancel button, for lists of tasks.
        headless: Nothing inside the element, which takes no room: for a site's own JavaScript.
        cancel: False withholds the right to cancel, and its button.
        redirect: False shows the link to where the task leads after success, and does not follow it.

    Returns:
        The context of ``channels_progress/task_progress.html``; ``docs/pages.md`` names its keys. While the store
        is away ``state`` is ``"UNKNOWN"`` and ``frame`` None; the client then fills in what it may see.

    Raises:
        TypeError: ``task`` is none of these.
        ValueError: ``heading_level`` is not 1 to 6.
    """
    if heading_level not in range(1, 7):
        raise ValueError(f"heading_level is {heading_level!r}; 1 to 6 is expected.")
    uid, is_permitted = _identify(task)
    viewer = get_request_viewer(request)
    snapshot, is_known = _read(uid)
    record = snapshot.record if snapshot else None
    may_see = is_permitted or (is_known and may_watch_found(viewer, uid, record) and record is not None)
    if is_known and not may_see:
        return None
    is_asked = not is_permitted and not may_cancel(viewer, record)
    may_end = cancel and (is_permitted or may_cancel(viewer, record))
    shown = _show_snapshot(snapshot, request) if snapshot else _show_foreign(task) if is_known else _show_nothing()
    seen_url = "" if compact or headless or snapshot is None else _find_seen_url(viewer, snapshot.record)
    return {
        **_address(uid, request),
        **_grant(uid, request, viewer, may_see=may_see, may_end=may_end and not shown["ended"], is_asked=is_asked),
        **shown,
        "seen_url": seen_url,
        "page_url": _find_page_url(uid, viewer, record, is_permitted=is_permitted),
        # A task that has ended unseen has no cancel form with a token in it.
        **({"csrf_token": get_token(request)} if seen_url else {}),
        # Adding takes the mark off a safe string, as a template's literals are: a title is text, also in attributes.
        "title": "" + str(title or shown["display"]["title"] or TEXTS["task"]),
        # What a view says is not for the client to replace.
        "is_title_live": not title,
        "heading_level": heading_level,
        "compact": compact,
        "headless": headless,
        "redirect": redirect,
        "texts": {key: str(text) for key, text in TEXTS.items()},
    }


def assets_context(nonce: str = "") -> dict[str, Any]:
    """What ``channels_progress/assets.html`` needs: URLs of style sheet and module, the client's texts, a CSP nonce."""
    return {
        "stylesheet_url": static("channels_progress/channels_progress.css"),
        "module_url": static("channels_progress/channels_progress.js"),
        "client_texts": client_texts(),
        "nonce": nonce,
    }


def build_frame(snapshot: Snapshot) -> dict[str, Any]:
    """The task frame of a snapshot, with its liveness then."""
    return task_frame(snapshot, snapshot_liveness(snapshot))


def address_page(request: HttpRequest) -> dict[str, str]:
    """Where a page connects to, renews its token, and is returned to after a form without JavaScript."""
    return {
        "socket_url": get_script_prefix() + get_settings().SOCKET_PATH,
        "token_url": reverse("channels_progress:token"),
        # A page that answered a POST cannot be asked for again.
        "return_url": request.get_full_path() if request.method in {"GET", "HEAD"} else "",
    }


def _identify(task: Any) -> tuple[str, bool]:
    """The uid, and whether being given ``task`` is a permission."""
    if isinstance(task, str):
        return task, False
    if isinstance(task, TaskRecord):
        return task.uid, False
    # Duck-typed, because nothing outside tasks/ imports Celery. A class attribute is asked: reading ``state`` of an
    # AsyncResult queries the result backend.
    if isinstance(uid := getattr(task, "id", None), str) and hasattr(type(task), "state"):
        return uid, True
    raise TypeError(f"task is {type(task).__name__} {task!r:.60}; a handle, an AsyncResult or a uid is expected.")


def _read(uid: str) -> tuple[Snapshot | None, bool]:
    """The snapshot, and whether the store answered at all."""
    try:
        return get_store().read(uid), True
    except StoreUnavailable as error:
        logger.warning("The state of task %s is not shown: %s", uid, error)
        return None, False


def _address(uid: str, request: HttpRequest) -> dict[str, Any]:
    return {
        "uid": uid,
        "channel": task_channel(uid),
        "state_url": reverse("channels_progress:task", args=[uid]),
        "cancel_url": reverse("channels_progress:cancel", args=[uid]),
        "redirect_hosts": list(get_settings().ALLOWED_REDIRECT_HOSTS),
        **address_page(request),
    }


def _grant(
    uid: str, request: HttpRequest, viewer: Viewer, *, may_see: bool, may_end: bool, is_asked: bool
) -> dict[str, Any]:
    if may_see:
        viewer = identify_viewer(request)
    token = ""
    if may_see and viewer.owner_key:
        rights = ["cancel"] if may_end else []
        token = issue_subscription_token(viewer, [task_channel(uid)], rights=rights, is_asked=is_asked)
    return {
        "token": token,
        "anonymous": not getattr(viewer.user, "is_authenticated", False),
        "can_cancel": may_end,
        "csrf_token": get_token(request) if may_end else "",
    }


def _find_page_url(uid: str, viewer: Viewer, record: TaskRecord | None, *, is_permitted: bool) -> str:
    """The task's own page; empty where only the page that passed a handle lets this viewer see the task."""
    may_follow = record is not None and (not is_permitted or may_watch(viewer, record))
    return reverse("channels_progress:task", args=[uid]) if may_follow else ""


def _find_seen_url(viewer: Viewer, record: TaskRecord) -> str:
    """Where the page tells that the owner has seen the end; empty for others, and once they have."""
    is_owner = record.owner in viewer.owner_keys and not viewer.is_locked_out
    return reverse("channels_progress:my-tasks-rows") if is_owner and not record.seen else ""


def _show_snapshot(snapshot: Snapshot, request: HttpRequest) -> dict[str, Any]:
    frame = build_frame(snapshot)
    return {
        **_show_state(frame["state"], snapshot.now, snapshot.record.attempt),
        "frame": frame,
        "frame_json": encode_json(frame),
        "messages": [_show_message(message) for message in frame["messages"]],
        "has_gap": not frame["recovered"],
        "redirect_url": _find_redirect(frame["state"], request),
    }


def _show_foreign(task: Any) -> dict[str, Any]:
    """A task without a record: Celery's coarse state, and nothing of its result or exception."""
    try:
        name = str(task.state)
    except Exception:
        # Whatever result backend there is: it may be off, away, or hold what it cannot decode.
        logger.warning("The result backend did not tell the state of task %s.", task.id, exc_info=True)
        return _show_nothing()
    known = TaskState(name) if name in set(TaskState) else _FOREIGN_STATES.get(name, TaskState.PROGRESS)
    record = TaskRecord(uid=task.id, epoch="", attempt=0, seq=0, state=known, body={})
    return {**_show_nothing(), **_show_state(state_data(record, None), 0, record.attempt)}


def _show_nothing() -> dict[str, Any]:
    return {
        "state": UNKNOWN_STATE,
        "liveness": None,
        "cancelling": False,
        "ended": False,
        "display": asdict(describe_unknown()),
        "frame": None,
        "frame_json": "",
        "messages": [],
        "has_gap": False,
        "redirect_url": "",
    }


def _show_state(state: Mapping[str, Any], now: int, attempt: int) -> dict[str, Any]:
    return {
        "state": state["state"],
        "liveness": state["liveness"],
        "cancelling": state["cancelling"],
        "ended": state["state"] in ENDED_STATES,
        "display": asdict(describe_task(state, now, attempt)),
    }


def _show_message(message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **message,
        "label": str(TEXTS.get(f"level_{message['level']}", "")),
        "time": format_time(message["at"]),
        "datetime": format_moment(message["at"]),
    }


def _find_redirect(state: Mapping[str, Any], request: HttpRequest) -> str:
    """Where the link after the end leads, if the task succeeded and may lead there."""
    if state["state"] != TaskState.SUCCESS or not (url := state.get("redirect")):
        return ""
    hosts = {request.get_host(), *get_settings().ALLOWED_REDIRECT_HOSTS}
    return url if leads_only_to(url, hosts) else ""
