"""A task over HTTP: its page, its state as JSON, cancelling it, and fresh tokens.

Everything is read from the store. Unknown and forbidden tasks get the same answer, so that nobody learns which exist.
"""

from __future__ import annotations

import re

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from channels_progress.answers import (
    answer_outcome,
    answer_unavailable,
    find_return_url,
    negotiated,
    read_grant,
    sends_bad_token,
    wants_json,
)
from channels_progress.authorization import may_cancel, may_subscribe, may_watch, may_watch_found
from channels_progress.cancelling import ask_to_cancel
from channels_progress.events import LIST_CHANNEL_PREFIX, TASK_CHANNEL_PREFIX, encode_json, task_channel
from channels_progress.exceptions import StoreUnavailable, TokenRefused
from channels_progress.pages import UNKNOWN_STATE, build_frame, task_context
from channels_progress.records import TaskRecord
from channels_progress.reloading import find_reload_s
from channels_progress.results import find_result_url
from channels_progress.staff.links import find_admin_url
from channels_progress.store import get_store
from channels_progress.tokens import issue_subscription_token, read_expired_token
from channels_progress.viewers import get_request_viewer

__all__ = ["cancel", "task", "token"]

# Only Django's page for developers shows it, and says the same of a task that is not there and of somebody else's.
NOT_FOUND = "No such task, or not this viewer's: it belongs to whom for_request(request) or for_user(user) named."

_SINCE = re.compile(r"([^:]{1,64}):([0-9]{1,15})")


@require_safe
@negotiated
def task(request: HttpRequest, uid: str) -> HttpResponse:
    """The live page of a task, or its task frame as JSON, as ``Accept`` or ``?format=json`` asks.

    For the owner, for whom the ``SUBSCRIPTION_AUTHORIZER`` allows, and, as JSON, with a subscription token in the
    header ``X-Channels-Progress-Token``. ``?since=<epoch>:<offset>`` leaves out the messages up to there. The page
    reloads itself where there is no JavaScript, but not with ``?reload=off``.
    """
    if wants_json(request):
        return _answer_frame(request, uid)
    context = task_context(uid, request, heading_level=1)
    if context is None:
        raise Http404(NOT_FOUND)
    if context["state"] == UNKNOWN_STATE:
        return answer_unavailable(request)
    user = getattr(request, "user", None)
    own = {
        "result_url": find_result_url(uid, user) if context["ended"] else "",
        "admin_url": find_admin_url(uid, user),
        "reload_s": find_reload_s(context["frame"]["state"], context["frame"]["now"]),
        # For whoever reads without JavaScript, and does not want to be interrupted.
        "is_paused": request.GET.get("reload") == "off",
    }
    return render(request, "channels_progress/task.html", {**context, **own})


@require_POST
@csrf_protect
@negotiated
def cancel(request: HttpRequest, uid: str) -> HttpResponse:
    """Ask for a task to be cancelled, with an optional ``reason`` that the people watching see.

    For the owner, and with a token that has the right ``cancel``, in the header or the field ``token``. Answers
    ``{"outcome": "cancelling" | "cancelled" | "ended"}``, or leads back to the page in the field ``next``.
    """
    viewer, grant = get_request_viewer(request), read_grant(request)
    has_right = "cancel" in grant.rights and task_channel(uid) in grant.channels
    record = None if has_right else _find_record(task_channel(uid))
    if not has_right and not may_cancel(viewer, record):
        raise Http404
    answer = answer_outcome(ask_to_cancel(uid, reason=request.POST.get("reason", "")))
    if wants_json(request):
        return answer
    return redirect(find_return_url(request) or reverse("channels_progress:task", args=[uid]))


# Exempt: nothing changes, and another site can neither know a token of this viewer nor read the answer. A page
# without a cancel form has no CSRF token to send.
@csrf_exempt
@require_POST
@negotiated
def token(request: HttpRequest) -> HttpResponse:
    """A fresh token for the one in the field ``token``, expired or not: ``{"token": …}``.

    Only for the viewer it was minted for, and only for what they may still subscribe to by themselves, as owner or by
    the ``SUBSCRIPTION_AUTHORIZER``: the permission of a view, which passed a handle or issued the token, ends with it.
    """
    viewer = get_request_viewer(request)
    try:
        grant = read_expired_token(request.POST.get("token", ""), viewer)
    except TokenRefused:
        raise Http404 from None
    records = [record for channel in grant.channels if (record := _find_record(channel)) and may_watch(viewer, record)]
    others = [channel for channel in grant.channels if not channel.startswith(TASK_CHANNEL_PREFIX)]
    others = [channel for channel in others if may_subscribe(viewer, channel)]
    channels = [*others, *(task_channel(record.uid) for record in records)]
    if not channels:
        raise Http404
    is_owner = all(may_cancel(viewer, record) for record in records)
    rights = grant.rights if records and is_owner else ()
    is_asked = not is_owner or any(not channel.startswith(LIST_CHANNEL_PREFIX) for channel in others)
    token = issue_subscription_token(viewer, channels, rights=rights, ttl=grant.ttl, is_asked=is_asked)
    return JsonResponse({"token": token})


def _answer_frame(request: HttpRequest, uid: str) -> HttpResponse:
    position = request.GET.get("since")
    match = _SINCE.fullmatch(position) if position else None
    if position and not match:
        return JsonResponse({"error": "since: <epoch>:<offset> is expected"}, status=400)
    if sends_bad_token(request):
        raise Http404
    snapshot = get_store().read(uid, since=(match[1], int(match[2])) if match else None)
    is_granted = task_channel(uid) in read_grant(request).channels
    record = snapshot.record if snapshot else None
    may_see = is_granted or may_watch_found(get_request_viewer(request), uid, record)
    if snapshot is None and is_granted:
        # Redis restarted empty, or the store was away at the publish: a worker that has the task makes the record.
        raise StoreUnavailable(f"There is no record of task {uid} now.")
    if snapshot is None or not may_see:
        raise Http404
    return HttpResponse(encode_json(build_frame(snapshot)), content_type="application/json")


def _find_record(channel: str) -> TaskRecord | None:
    if not channel.startswith(TASK_CHANNEL_PREFIX):
        return None
    snapshot = get_store().read(channel.removeprefix(TASK_CHANNEL_PREFIX))
    return snapshot.record if snapshot else None
