"""Tasks and stored messages in Django's admin: everybody's, for staff with the permissions that come with the models.

Django loads this module where its admin is installed. A task has no table, so its pages are our own and read the store;
who may open them, and their look, are the admin's. Stored messages are in ``staff.notifications``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import VERSION
from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from channels_progress.answers import answer_outcome, negotiated, wants_json
from channels_progress.cancelling import ask_to_cancel, clean_reason
from channels_progress.conf import get_settings
from channels_progress.exceptions import StoreUnavailable, TokenRefused
from channels_progress.models import DeliveryRecord, Notice, Notification, Task
from channels_progress.records import CancelOutcome, Listing, Snapshot
from channels_progress.results import find_result
from channels_progress.staff.changelist import NoChangeList, TaskChangeList
from channels_progress.staff.deliveries import DeliveryRecordAdmin, NoticeAdmin
from channels_progress.staff.facts import list_facts, write_body
from channels_progress.staff.filters import Query, read_query
from channels_progress.staff.notifications import NotificationAdmin
from channels_progress.staff.owners import describe_owners
from channels_progress.staff.reading import read_everybodys, read_others
from channels_progress.staff.rows import find_title, make_rows
from channels_progress.staff.user_links import make_find_url
from channels_progress.staff.watching import issue_token, make_element, read_watched
from channels_progress.store import get_store

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Task]
else:
    _Admin = admin.ModelAdmin

__all__ = ["DeliveryRecordAdmin", "NoticeAdmin", "NotificationAdmin", "TaskAdmin"]

_SAID = {
    CancelOutcome.CANCELLING: (messages.SUCCESS, _("The task has been asked to stop.")),
    CancelOutcome.CANCELLED: (messages.SUCCESS, _("The task was cancelled before a worker began with it.")),
    CancelOutcome.ENDED: (messages.WARNING, _("The task had already ended.")),
}


admin.site.register(Notification, NotificationAdmin)
admin.site.register(Notice, NoticeAdmin)
admin.site.register(DeliveryRecord, DeliveryRecordAdmin)


@admin.register(Task)
class TaskAdmin(_Admin):
    """The list of tasks and the page of one. On an admin site of your own: ``site.register(Task, TaskAdmin)``."""

    list_per_page = 100

    def get_urls(self) -> list[URLPattern]:
        """The admin's, with those that the page of a task sends its requests to."""
        wrap = self.admin_site.admin_view
        return [
            path("token/", wrap(self.token_view), name="channels_progress_task_token"),
            path("<path:object_id>/cancel/", wrap(self.cancel_view), name="channels_progress_task_cancel"),
            *super().get_urls(),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody: tasks come from Celery."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Task | None = None) -> bool:
        """Nobody: a record is what happened."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Task | None = None) -> bool:
        """Nobody: the store forgets by itself."""
        return False

    def has_cancel_permission(self, request: HttpRequest, obj: Task | None = None) -> bool:
        """Who may look at tasks and has the permission ``cancel_task``."""
        return self.has_view_permission(request, obj) and request.user.has_perm("channels_progress.cancel_task")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Task | None:
        """The task with this id, from the store; None where there is no record, or no answer."""
        try:
            snapshot = get_store().read(object_id)
        except StoreUnavailable:
            return None
        return _make_task(snapshot) if snapshot else None

    @method_decorator(require_safe)
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, with filters and a search."""
        _demand(self.has_view_permission(request))
        query = read_query(request.GET)
        # Without actions the admin's template has an inline style, for its column of boxes to tick.
        context: dict[str, Any] = {"title": _("Tasks"), "actions_on_top": True}
        try:
            context |= self._describe_list(request, read_everybodys(query.q), query)
        except StoreUnavailable:
            context |= {"is_away": True, "cl": NoChangeList(self.opts)}
        return self._render(request, "change_list.html", context | (extra_context or {}))

    @method_decorator(require_safe)
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of one task."""
        uid = unquote(object_id)
        _demand(self.has_view_permission(request, Task(uid=uid)))
        context = {"title": _("View task"), "subtitle": uid, "original": uid, "quoted": quote(uid)}
        try:
            snapshot = get_store().read(uid)
            if snapshot is None:
                return self._answer_unknown(request, uid)
            context |= self._describe_task(request, snapshot)
        except StoreUnavailable:
            context["is_away"] = True
        context["element"] = self._render_element(request, uid)
        return self._render(request, "change_form.html", context | (extra_context or {}))

    @method_decorator(require_POST)
    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a cancel, with the ``reason`` that the people watching see; answers as ``views.cancel`` does."""
        uid = unquote(object_id)
        _demand(self.has_cancel_permission(request, Task(uid=uid)))
        if wants_json(request):
            return negotiated(lambda request: answer_outcome(self._cancel(request, uid)))(request)
        try:
            outcome = self._cancel(request, uid)
        except StoreUnavailable:
            outcome = None
        if outcome == CancelOutcome.UNKNOWN:
            return self._answer_unknown(request, uid)
        said = (messages.ERROR, _("The store did not answer. Please try again."))
        level, text = _SAID[outcome] if outcome else said
        self.message_user(request, text, level)
        return HttpResponseRedirect(self._reverse("change", quote(uid)))

    # Exempt as the one outside the admin, and for its reasons.
    @method_decorator([csrf_exempt, require_POST])
    def token_view(self, request: HttpRequest) -> HttpResponse:
        """A fresh token for the one in the field ``token``, expired or not, while the permission lasts."""
        try:
            uids = read_watched(request.POST.get("token", ""), request)
        except TokenRefused:
            raise PermissionDenied from None
        _demand(bool(uids) and all(self.has_view_permission(request, Task(uid=uid)) for uid in uids))
        return JsonResponse({"token": issue_token(uids, request)})

    def _describe_list(self, request: HttpRequest, listing: Listing, query: Query) -> dict[str, Any]:
        changelist = TaskChangeList(self.opts, query, listing, per_page=self.list_per_page, page=request.GET.get("p"))
        return {
            "cl": changelist,
            "rows": make_rows(changelist.page.object_list, listing.now, make_find_url(self.admin_site, request)),
            "limit": get_settings().LISTED_FOR_STAFF,
        }

    def _describe_task(self, request: HttpRequest, snapshot: Snapshot) -> dict[str, Any]:
        record, find_url = snapshot.record, make_find_url(self.admin_site, request)
        owner = describe_owners([record.owner], find_url)[record.owner]
        parent_url = self._reverse("change", quote(record.parent)) if record.parent else ""
        return {
            "subtitle": find_title(record),
            "original": find_title(record),
            "record": record,
            "owner": owner,
            "facts": list_facts(record, snapshot.now, owner, parent_url),
            "body": write_body(record),
            "result": find_result(record.uid, request.user, current_app=self.admin_site.name),
            "rows": make_rows(read_others(record), snapshot.now, find_url),
            "time_zone": timezone.get_current_timezone_name(),
        }

    def _render_element(self, request: HttpRequest, uid: str) -> str:
        element = make_element(
            uid,
            request,
            can_cancel=self.has_cancel_permission(request, Task(uid=uid)),
            cancel_url=self._reverse("cancel", quote(uid)),
            token_url=self._reverse("token"),
        )
        # By itself: its names (``messages``, ``title``) are also the admin's, for other things.
        return render_to_string("channels_progress/_progress.html", element, request)

    def _cancel(self, request: HttpRequest, uid: str) -> CancelOutcome:
        reason = clean_reason(request.POST.get("reason", ""))
        task = self.get_object(request, uid) or Task(uid=uid)
        outcome = ask_to_cancel(uid, reason=reason)
        if outcome in {CancelOutcome.CANCELLING, CancelOutcome.CANCELLED}:
            said = _("Cancelled. Reason: %(reason)s") % {"reason": reason} if reason else _("Cancelled.")
            self.log_change(request, task, str(said))
        return outcome

    def _answer_unknown(self, request: HttpRequest, uid: str) -> HttpResponse:
        text = _("%(name)s with ID “%(key)s” doesn’t exist. Perhaps it was deleted?")
        self.message_user(request, text % {"name": self.opts.verbose_name, "key": uid}, messages.WARNING)
        return HttpResponseRedirect(self._reverse("changelist"))

    def _reverse(self, view: str, *args: str) -> str:
        return reverse(f"admin:channels_progress_task_{view}", args=args, current_app=self.admin_site.name)

    def _render(self, request: HttpRequest, template: str, context: Mapping[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name
        shown = {
            **self.admin_site.each_context(request),
            "request": request,
            "opts": self.opts,
            "media": Media(),
            "has_view_permission": True,
            "has_tools_in_header": VERSION >= (6, 1),
            **context,
        }
        status = 503 if context.get("is_away") else 200
        return TemplateResponse(request, f"admin/channels_progress/task/{template}", shown, status=status)


def _demand(permission: bool) -> None:
    if not permission:
        raise PermissionDenied


def _make_task(snapshot: Snapshot) -> Task:
    task = Task(uid=snapshot.record.uid)
    task.title = find_title(snapshot.record)
    return task
