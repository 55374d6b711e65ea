"""A person's own tasks, as their pages show them: the plain functions behind ``{% my_tasks %}`` and the list page."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_progress.display import describe_task
from channels_progress.events import encode_json, list_frame, task_channel
from channels_progress.exceptions import StoreUnavailable
from channels_progress.formats import describe_moment
from channels_progress.own_tasks import OwnTasks, own_list_channels, read_own_tasks
from channels_progress.pages import address_page, build_frame
from channels_progress.records import ENDED_STATES, ListVersion, Snapshot, TaskRecord, TaskState
from channels_progress.texts import TEXTS
from channels_progress.tokens import issue_subscription_token
from channels_progress.viewers import Viewer, get_request_viewer

__all__ = ["my_tasks_context"]

logger = logging.getLogger(__name__)

#: Rows in the tag, unless it says otherwise, and at most.
DEFAULT_LIMIT = 10
MAX_LIMIT = 50
#: Rows on one page of the list.
PAGE_SIZE = 20

_GROUPS: dict[str, str | Promise] = {
    "running": _("Running"),
    "finished": _("Finished while you were away"),
    "recent": _("Recent"),
}
_FILTERS: dict[str, tuple[str | Promise, Collection[TaskState]]] = {
    "all": (_("All"), frozenset(TaskState)),
    "active": (_("Waiting and running"), frozenset(TaskState) - ENDED_STATES),
    "finished": (_("Finished"), frozenset({TaskState.SUCCESS, TaskState.IGNORED})),
    "failed": (_("Failed"), frozenset({TaskState.FAILURE})),
    "cancelled": (_("Cancelled"), frozenset({TaskState.REVOKED})),
}


def my_tasks_context(request: HttpRequest, *, limit: int = DEFAULT_LIMIT) -> dict[str, Any]:
    """The tasks of whoever sent ``request``, grouped, as JSON-ready values.

    Args:
        limit: How many rows at most, 1 to 50. What runs comes first; up to half of them are kept for what has finished
            unseen.

    Returns:
        The context of ``channels_progress/my_tasks.html``; ``docs/pages.md`` names its keys. For somebody without
        login and without a session of ours nothing is read or made; there are no tasks then, and ``token`` is empty.
        While the store is away ``available`` is False.

    Raises:
        ValueError: ``limit`` is not 1 to 50.
    """
    if not isinstance(limit, int) or limit not in range(1, MAX_LIMIT + 1):
        raise ValueError(f"limit is {limit!r}; 1 to {MAX_LIMIT} is expected.")
    viewer = get_request_viewer(request)
    tasks, is_available = _try_read(viewer)
    groups = _group(tasks.records)
    shown = _choose(groups, limit)
    return {
        **_frame_list(request, viewer, tasks, groups),
        "rows_url": f"{reverse('channels_progress:my-tasks-rows')}?{urlencode({'limit': limit})}",
        "available": is_available,
        "is_empty": not shown,
        "groups": [
            {"name": name, "label": str(_GROUPS[name]), "tasks": _show(group, shown, tasks.now, viewer)}
            for name, group in groups.items()
        ],
    }


def task_list_context(request: HttpRequest, *, state: str = "all", page: int | str = 1) -> dict[str, Any]:
    """One page of the list of all tasks of whoever sent ``request``.

    Args:
        state: ``all``, ``active``, ``finished``, ``failed`` or ``cancelled``; anything else is ``all``.
        page: From 1; a number past the end is the last one.

    Raises:
        StoreUnavailable: The store did not answer.
    """
    state = state if state in _FILTERS else "all"
    viewer = get_request_viewer(request)
    tasks = read_own_tasks(viewer)
    chosen = [record for record in tasks.records if record.state in _FILTERS[state][1]]
    rows = Paginator(chosen, PAGE_SIZE).get_page(page)
    uids = {record.uid for record in rows}
    query = urlencode({"view": "page", "state": state, "page": rows.number})
    return {
        **_frame_list(request, viewer, tasks, _group(tasks.records)),
        "rows_url": f"{reverse('channels_progress:my-tasks-rows')}?{query}",
        "available": True,
        "is_empty": not uids,
        "groups": [
            {"name": "tasks", "label": str(_FILTERS[state][0]), "tasks": _show(chosen, uids, tasks.now, viewer)}
        ],
        "filters": [_show_filter(name, state, tasks.records) for name in _FILTERS],
        "now": tasks.now,
        "page": {
            "number": rows.number,
            "pages": rows.paginator.num_pages,
            "newer_url": _list_url(state, rows.number - 1) if rows.has_previous() else "",
            "older_url": _list_url(state, rows.number + 1) if rows.has_next() else "",
        },
    }


def _try_read(viewer: Viewer) -> tuple[OwnTasks, bool]:
    """The tasks, and whether the store answered at all."""
    try:
        return read_own_tasks(viewer), True
    except StoreUnavailable as error:
        logger.warning("A list of tasks is not shown: %s", error)
        # Epoch and seq of nothing: the page fetches the list when it hears of it.
        return OwnTasks(lists=tuple(list_frame(name, ListVersion(), 0) for name in own_list_channels(viewer))), False


def _group(records: Iterable[TaskRecord]) -> dict[str, list[TaskRecord]]:
    groups: dict[str, list[TaskRecord]] = {name: [] for name in _GROUPS}
    for record in records:
        is_over = record.state in ENDED_STATES
        groups["running" if not is_over else "recent" if record.seen else "finished"].append(record)
    return groups


def _choose(groups: Mapping[str, Sequence[TaskRecord]], limit: int) -> set[str]:
    """The uids of so many rows. What a badge counts as news is to be found below it, however much runs."""
    running, finished, recent = groups["running"], groups["finished"], groups["recent"]
    news = finished[: max(limit // 2, limit - len(running))]
    return {record.uid for record in [*running[: limit - len(news)], *news, *recent][:limit]}


def _frame_list(
    request: HttpRequest, viewer: Viewer, tasks: OwnTasks, groups: Mapping[str, Sequence[TaskRecord]]
) -> dict[str, Any]:
    """What the tag and the list page have in common, besides the rows."""
    running, total = len(groups["running"]), len(tasks.records)
    counts = {"running": running, "unseen": len(groups["finished"]), "ended": total - running, "total": total}
    channels = [frame["channel"] for frame in tasks.lists]
    return {
        "token": issue_subscription_token(viewer, channels) if channels else "",
        "anonymous": not getattr(viewer.user, "is_authenticated", False),
        "csrf_token": get_token(request) if channels else "",
        "state_url": reverse("channels_progress:my-tasks-rows"),
        "list_url": reverse("channels_progress:my-tasks"),
        **address_page(request),
        "lists": list(tasks.lists),
        "lists_json": encode_json(tasks.lists),
        "counts": counts,
        "counts_json": encode_json(counts),
    }


def _show(records: Sequence[TaskRecord], shown: Collection[str], now: int, viewer: Viewer) -> list[dict[str, Any]]:
    return [_show_record(record, now, viewer) for record in records if record.uid in shown]


def _show_record(record: TaskRecord, now: int, viewer: Viewer) -> dict[str, Any]:
    """One row. What has ended needs no token and no frame: nothing more will be heard of it."""
    frame, is_over = build_frame(Snapshot(record, (), recovered=True, now=now)), record.state in ENDED_STATES
    display = asdict(describe_task(frame["state"], now, record.attempt))
    return {
        "uid": record.uid,
        "epoch": record.epoch,
        "channel": task_channel(record.uid),
        "token": "" if is_over else _issue_token(viewer, record.uid),
        "state_url": reverse("channels_progress:task", args=[record.uid]),
        "state": frame["state"]["state"],
        "liveness": frame["state"]["liveness"],
        "cancelling": frame["state"]["cancelling"],
        "ended": is_over,
        "seen": record.seen,
        "title": display["title"] or str(TEXTS["task"]),
        "display": display,
        "frame": frame,
        "frame_json": "" if is_over else encode_json(frame),
        "at": describe_moment(record.ended_at if is_over else record.created_at, now),
    }


def _issue_token(viewer: Viewer, uid: str) -> str:
    # A uid may be of any length: one that is too long for a frame is shown as it stands.
    with suppress(ValueError):
        return issue_subscription_token(viewer, [task_channel(uid)])
    return ""


def _show_filter(name: str, current: str, records: Iterable[TaskRecord]) -> dict[str, Any]:
    label, states = _FILTERS[name]
    return {
        "name": name,
        "label": str(label),
        "url": _list_url(name),
        "count": sum(record.state in states for record in records),
        "is_current": name == current,
    }


def _list_url(state: str, page: int = 1) -> str:
    query = {**({"state": state} if state != "all" else {}), **({"page": page} if page > 1 else {})}
    return reverse("channels_progress:my-tasks") + (f"?{urlencode(query)}" if query else "")
