"""What the views share: HTML or JSON as asked for, never cached, one answer for what cannot be had."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme

from channels_progress.exceptions import StoreUnavailable, TokenRefused
from channels_progress.records import CancelOutcome
from channels_progress.tokens import Grant, verify_subscription_token
from channels_progress.viewers import get_request_viewer

View = Callable[..., HttpResponse]

#: Seconds after which a client may try again while the store is away.
RETRY_AFTER_S = 5

_HEADER = "X-Channels-Progress-Token"
_NO_GRANT = Grant((), frozenset())


def negotiated(view: View) -> View:
    """Never cached, and the errors that all views share in the form that was asked for."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except StoreUnavailable:
            response = answer_unavailable(request)
        except Http404:
            if not wants_json(request):
                raise
            response = JsonResponse({"error": "not found"}, status=404)
        response["Cache-Control"] = "no-store"
        patch_vary_headers(response, ["Accept", "Cookie"])
        return response

    return answer


def answer_unavailable(request: HttpRequest) -> HttpResponse:
    """The store is away: 503, which tries again by itself."""
    if wants_json(request):
        response: HttpResponse = JsonResponse({"error": "unavailable"}, status=503)
    else:
        response = render(request, "channels_progress/unavailable.html", {"retry_after_s": RETRY_AFTER_S}, status=503)
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response


def answer_outcome(outcome: CancelOutcome) -> JsonResponse:
    """What asking for a cancel led to; ``Http404`` where there is no such task."""
    if outcome is CancelOutcome.UNKNOWN:
        raise Http404
    return JsonResponse({"outcome": str(outcome)})


def wants_json(request: HttpRequest) -> bool:
    """Whether ``Accept`` or ``?format=json`` asks for data rather than for a page."""
    if request.GET.get("format") == "json":
        return True
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def read_grant(request: HttpRequest) -> Grant:
    """What the request's token allows; nothing where it is missing or refused."""
    token = request.headers.get(_HEADER) or request.POST.get("token", "")
    try:
        return verify_subscription_token(token, get_request_viewer(request))
    except TokenRefused:
        return _NO_GRANT


def sends_bad_token(request: HttpRequest) -> bool:
    """Whether a token came in the header and is refused.

    The owner is told so, too, though the session would do: a page without login gets its socket by the token alone,
    and while it polls nothing else says that the token has aged.
    """
    return bool(request.headers.get(_HEADER)) and read_grant(request) is _NO_GRANT


def find_return_url(request: HttpRequest) -> str:
    """Where a form without JavaScript wants to lead back to: its field ``next``, if that is on this site."""
    url = request.POST.get("next", "")
    is_safe = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return url if is_safe else ""
