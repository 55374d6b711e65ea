"""A task over HTTP: its page, its state as JSON, cancelling it, and fresh tokens.

Everything is read from the store. Unknown and forbidden tasks get the same answer, so that nobody learns which exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from channels_progress.authorization import may_cancel, may_watch
from channels_progress.conf import get_settings
from channels_progress.events import TASK_CHANNEL_PREFIX, encode_json, task_channel
from channels_progress.exceptions import StoreUnavailable, TokenRefused
from channels_progress.pages import UNKNOWN_STATE, build_frame, get_request_viewer, task_context
from channels_progress.records import CancelOutcome, TaskRecord
from channels_progress.results import find_result_url
from channels_progress.store import get_store
from channels_progress.tokens import Grant, issue_subscription_token, read_expired_token, verify_subscription_token
from channels_progress.values import clean_text

__all__ = ["cancel", "task", "token"]

View = Callable[..., HttpResponse]

#: Seconds after which a client may try again while the store is away.
RETRY_AFTER_S = 5

_SINCE = re.compile(r"([^:]{1,64}):([0-9]{1,15})")
_NO_GRANT = Grant((), frozenset())


def _negotiated(view: View) -> View:
    """Never cached, and the errors that all views share in the form that was asked for."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except StoreUnavailable:
            response = _answer_unavailable(request)
        except Http404:
            if not _wants_json(request):
                raise
            response = JsonResponse({"error": "not found"}, status=404)
        response["Cache-Control"] = "no-store"
        patch_vary_headers(response, ["Accept", "Cookie"])
        return response

    return answer


@require_safe
@_negotiated
def task(request: HttpRequest, uid: str) -> HttpResponse:
    """The live page of a task, or its task frame as JSON, as ``Accept`` or ``?format=json`` asks.

    For the owner, for whom the ``SUBSCRIPTION_AUTHORIZER`` allows, and, as JSON, with a subscription token in the
    header ``X-Channels-Progress-Token``. ``?since=<epoch>:<offset>`` leaves out the messages up to there.
    """
    if _wants_json(request):
        return _answer_frame(request, uid)
    context = task_context(uid, request, heading_level=1)
    if context is None:
        raise Http404
    if context["state"] == UNKNOWN_STATE:
        return _answer_unavailable(request)
    result_url = find_result_url(uid, request.user) if context["ended"] else ""
    return render(request, "channels_progress/task.html", {**context, "result_url": result_url})


@require_POST
@csrf_protect
@_negotiated
def cancel(request: HttpRequest, uid: str) -> HttpResponse:
    """Ask for a task to be cancelled, with an optional ``reason`` that the people watching see.

    For the owner, and with a token that has the right ``cancel``, in the header or the field ``token``. Answers
    ``{"outcome": "cancelling" | "cancelled" | "ended"}``, or leads back to the page in the field ``next``.
    """
    viewer, grant = get_request_viewer(request), _read_grant(request)
    has_right = "cancel" in grant.rights and task_channel(uid) in grant.channels
    record = None if has_right else _find_record(task_channel(uid))
    if not has_right and not (record and may_cancel(viewer, record)):
        raise Http404
    reason = clean_text(request.POST.get("reason", "").strip(), "reason", get_settings().MESSAGE_MAX_CHARS)
    outcome = get_store().request_cancel(uid, reason=reason)
    if outcome == CancelOutcome.UNKNOWN:
        raise Http404
    if _wants_json(request):
        return JsonResponse({"outcome": str(outcome)})
    return redirect(_find_return_url(request) or reverse("channels_progress:task", args=[uid]))


# Exempt: nothing changes, and another site can neither know a token of this viewer nor read the answer. A page
# without a cancel form has no CSRF token to send.
@csrf_exempt
@require_POST
@_negotiated
def token(request: HttpRequest) -> HttpResponse:
    """A fresh token for the one in the field ``token``, expired or not: ``{"token": …}``.

    Only for the viewer it was minted for, and only for what they may still see by themselves, as owner or by the
    ``SUBSCRIPTION_AUTHORIZER``: the permission of a view that passed a handle ends with its token.
    """
    viewer = get_request_viewer(request)
    try:
        grant = read_expired_token(request.POST.get("token", ""), viewer)
    except TokenRefused:
        raise Http404 from None
    records = [record for channel in grant.channels if (record := _find_record(channel)) and may_watch(viewer, record)]
    if not records:
        raise Http404
    rights = grant.rights if all(may_cancel(viewer, record) for record in records) else ()
    channels = [task_channel(record.uid) for record in records]
    return JsonResponse({"token": issue_subscription_token(viewer, channels, rights=rights, ttl=grant.ttl)})


def _answer_frame(request: HttpRequest, uid: str) -> HttpResponse:
    position = request.GET.get("since")
    match = _SINCE.fullmatch(position) if position else None
    if position and not match:
        return JsonResponse({"error": "since: <epoch>:<offset> is expected"}, status=400)
    snapshot = get_store().read(uid, since=(match[1], int(match[2])) if match else None)
    is_granted = task_channel(uid) in _read_grant(request).channels
    if snapshot is None and is_granted:
        # Redis restarted empty, or the store was away at the publish: a worker that has the task makes the record.
        raise StoreUnavailable(f"There is no record of task {uid} now.")
    if snapshot is None or not (is_granted or may_watch(get_request_viewer(request), snapshot.record)):
        raise Http404
    return HttpResponse(encode_json(build_frame(snapshot)), content_type="application/json")


def _answer_unavailable(request: HttpRequest) -> HttpResponse:
    if _wants_json(request):
        response: HttpResponse = JsonResponse({"error": "unavailable"}, status=503)
    else:
        response = render(request, "channels_progress/unavailable.html", {"retry_after_s": RETRY_AFTER_S}, status=503)
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _wants_json(request: HttpRequest) -> bool:
    if request.GET.get("format") == "json":
        return True
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def _read_grant(request: HttpRequest) -> Grant:
    """What the request's token allows; nothing where it is missing or refused."""
    token = request.headers.get("X-Channels-Progress-Token") or request.POST.get("token", "")
    try:
        return verify_subscription_token(token, get_request_viewer(request))
    except TokenRefused:
        return _NO_GRANT


def _find_record(channel: str) -> TaskRecord | None:
    if not channel.startswith(TASK_CHANNEL_PREFIX):
        return None
    snapshot = get_store().read(channel.removeprefix(TASK_CHANNEL_PREFIX))
    return snapshot.record if snapshot else None


def _find_return_url(request: HttpRequest) -> str:
    url = request.POST.get("next", "")
    is_safe = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return url if is_safe else ""
