"""The inbox of a person over HTTP, without Django REST framework: its page, its rows, following and marking."""

from __future__ import annotations

from functools import wraps
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render, resolve_url
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from channels_progress.answers import View, find_return_url, negotiated, wants_json
from channels_progress.bell import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    bell_context,
    find_destination,
    find_inbox_user,
    inbox_context,
)
from channels_progress.exceptions import InboxRequestRefused
from channels_progress.notifications.marks import mark_all_read, mark_read, remove, remove_all
from channels_progress.notifications.pages import NOT_FOUND, find_item, read_page
from channels_progress.notifications.shapes import describe_page
from channels_progress.viewers import get_request_viewer

__all__ = ["inbox", "inbox_item", "inbox_rows"]

#: In the place of a uid: every one.
ALL = "all"


def _personal(view: View) -> View:
    """For who is logged in; what is refused is answered with its reason."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if find_inbox_user(request) is None:
            if wants_json(request):
                return JsonResponse({"error": "login required"}, status=403)
            raise PermissionDenied
        try:
            return view(request, *args, **kwargs)
        except InboxRequestRefused as refusal:
            return _answer_refusal(request, refusal)

    return answer


def _page(view: View) -> View:
    """Likewise; a person who is not logged in is led to where they can be."""
    personal = _personal(view)

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        is_stranger = not get_request_viewer(request).is_authenticated and request.method in {"GET", "HEAD"}
        if is_stranger and not wants_json(request):
            back = urlencode({REDIRECT_FIELD_NAME: request.get_full_path()})
            return redirect(f"{resolve_url(settings.LOGIN_URL)}?{back}")
        return personal(request, *args, **kwargs)

    return answer


@require_http_methods(["GET", "HEAD", "POST"])
@csrf_protect
@negotiated
@_page
def inbox(request: HttpRequest) -> HttpResponse:
    """The viewer's inbox: ``?is_read=true|false``, ``?page=2``; or marks what is in it.

    As JSON, with ``?page_size=`` too, what the socket answers to the same. A POST has ``read`` and ``remove``: uids,
    each repeated, or ``all``.
    """
    if request.method == "POST":
        return _mark(request)
    if wants_json(request):
        asked = {name: request.GET.get(name) for name in ("page", "page_size", "is_read")}
        return JsonResponse(describe_page(request.user, read_page(request.user, **asked)))
    return render(request, "channels_progress/inbox.html", _read_page(request))


@require_safe
@negotiated
@_personal
def inbox_rows(request: HttpRequest) -> HttpResponse:
    """The same as HTML for a page that shows it already: ``?limit=`` for the bell, or ``?view=page`` for the page."""
    if request.GET.get("view") == "page":
        return render(request, "channels_progress/_notification_bell_list.html", _read_page(request))
    limit = request.GET.get("limit", "")
    number = int(limit) if limit.isascii() and limit.isdecimal() and len(limit) < 4 else DEFAULT_LIMIT
    context = bell_context(request, limit=min(max(number, 1), MAX_LIMIT))
    return render(request, "channels_progress/_notification_bell_menu.html", context)


@require_safe
@negotiated
@_page
def inbox_item(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Leads to where one notification leads, or to the inbox, and marks it as read."""
    if "prefetch" in request.headers.get("Sec-Purpose", ""):
        # Nobody has looked at it yet. Browsers ask again when somebody does, if this is an error.
        return HttpResponse(status=503)
    notice = find_item(request.user, uid).notice
    if request.method == "GET":
        mark_read(request.user, [uid])
    return redirect(find_destination(notice) or "channels_progress:inbox")


def _read_page(request: HttpRequest) -> dict[str, Any]:
    return inbox_context(request, is_read=request.GET.get("is_read", ""), page=request.GET.get("page"))


def _mark(request: HttpRequest) -> HttpResponse:
    read, removed = request.POST.getlist("read"), request.POST.getlist("remove")
    if not read and not removed:
        raise InboxRequestRefused("action", "read or remove is expected")
    changed = 0
    if read:
        changed += mark_all_read(request.user) if ALL in read else mark_read(request.user, read)
    if removed:
        changed += remove_all(request.user) if ALL in removed else remove(request.user, removed)
    if wants_json(request):
        return JsonResponse({"changed": changed})
    return redirect(find_return_url(request) or "channels_progress:inbox")


def _answer_refusal(request: HttpRequest, refusal: InboxRequestRefused) -> HttpResponse:
    status = 404 if refusal.reason == NOT_FOUND else 400
    if wants_json(request):
        return JsonResponse({"error": {"field": refusal.field, "reason": refusal.reason}}, status=status)
    context = {"refusal": refusal, "is_gone": status == 404}
    return render(request, "channels_progress/inbox_refused.html", context, status=status)
