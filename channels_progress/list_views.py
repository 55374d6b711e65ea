"""The tasks of a person over HTTP: the list page, the rows that pages fetch again, and marking them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from channels_progress.answers import answer_unavailable, find_return_url, negotiated, sends_bad_token, wants_json
from channels_progress.mine import DEFAULT_LIMIT, MAX_LIMIT, my_tasks_context, task_list_context
from channels_progress.own_tasks import list_frames, mark_tasks
from channels_progress.reloading import find_reload_s
from channels_progress.viewers import get_request_viewer

__all__ = ["my_tasks", "my_tasks_rows"]

#: How often the list page is loaded again without JavaScript, at most.
LIST_RELOAD_S = 10

_MARKS = {"seen": "seen", "dismiss": "dismissed"}


@require_safe
@negotiated
def my_tasks(request: HttpRequest) -> HttpResponse:
    """The list of the viewer's tasks: ``?state=active|finished|failed|cancelled``, ``?page=2``.

    While any of them runs it reloads itself where there is no JavaScript, but not with ``?reload=off``.
    """
    context = _read_list(request)
    return render(request, "channels_progress/my_tasks_page.html", {**context, **_plan_reload(request, context)})


@require_http_methods(["GET", "HEAD", "POST"])
@csrf_protect
@negotiated
def my_tasks_rows(request: HttpRequest) -> HttpResponse:
    """The viewer's tasks as HTML, for a page that shows them already; as JSON how new their lists are; or marks some.

    ``?limit=`` as for the tag; with ``?view=page`` as for the list page. A POST has ``action`` (``seen`` or
    ``dismiss``) and ``uid``, repeated, or ``until`` for all that had ended by then. What is not the viewer's is
    ignored.
    """
    if request.method == "POST":
        return _mark(request)
    if wants_json(request):
        return _answer_frames(request)
    if request.GET.get("view") == "page":
        return render(request, "channels_progress/_my_tasks_list.html", _read_list(request))
    context = my_tasks_context(request, limit=_read_limit(request))
    if not context["available"]:
        return answer_unavailable(request)
    return render(request, "channels_progress/_my_tasks_menu.html", context)


def _read_list(request: HttpRequest) -> dict[str, Any]:
    return task_list_context(request, state=request.GET.get("state", ""), page=request.GET.get("page", 1))


def _plan_reload(request: HttpRequest, context: Mapping[str, Any]) -> dict[str, Any]:
    """As often as the task on it that needs it most, but there is more to read than on the page of one task."""
    frames = [task["frame"] for group in context["groups"] for task in group["tasks"]]
    waits_s = filter(None, (find_reload_s(frame["state"], frame["now"]) for frame in frames))
    query = request.GET.copy()
    query["reload"] = "off"
    paused = query.urlencode()
    del query["reload"]
    return {
        "reload_s": max(min(waits_s, default=60), LIST_RELOAD_S) if context["counts"]["running"] else 0,
        "is_paused": request.GET.get("reload") == "off",
        "live_url": f"{request.path}?{query.urlencode()}" if query else request.path,
        "paused_url": f"{request.path}?{paused}",
    }


def _answer_frames(request: HttpRequest) -> HttpResponse:
    if sends_bad_token(request):
        raise Http404
    frames = {frame["channel"]: frame for frame in list_frames(get_request_viewer(request))}
    channel = request.GET.get("channel")
    if channel is None:
        return JsonResponse({"lists": list(frames.values())})
    if channel not in frames:
        raise Http404
    return JsonResponse(frames[channel])


def _mark(request: HttpRequest) -> HttpResponse:
    mark = _MARKS.get(request.POST.get("action", ""))
    if mark is None:
        return HttpResponseBadRequest("action: seen or dismiss is expected")
    uids, until = frozenset(request.POST.getlist("uid")), _read_number(request.POST.get("until"))
    marked = mark_tasks(get_request_viewer(request), uids=uids, until=until or 0, **{mark: True})
    if wants_json(request):
        return JsonResponse({"marked": marked})
    return redirect(find_return_url(request) or reverse("channels_progress:my-tasks"))


def _read_limit(request: HttpRequest) -> int:
    limit = _read_number(request.GET.get("limit"))
    return DEFAULT_LIMIT if limit is None else min(max(limit, 1), MAX_LIMIT)


def _read_number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 16 else None
