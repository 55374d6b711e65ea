"""Stored messages in Django's admin: what was sent, who has it, and sending something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import AdminErrorList, AdminForm
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from channels_progress.models import Notification, Receipt
from channels_progress.spaces import find_space
from channels_progress.staff.kept import KeptRows, PeopleNamed
from channels_progress.staff.owners import describe_owners
from channels_progress.staff.sending import LEVELS, SendingForm
from channels_progress.staff.user_links import make_find_url
from channels_progress.values import shorten

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Notification]
else:
    _Admin = admin.ModelAdmin

#: Characters of a text in the list.
SHOWN_CHARS = 60
FORM_LAYOUT: Any = (
    (_("To whom"), {"fields": ("audience", "user", "obj", "channel")}),
    (_("What"), {"fields": ("kind", "level", "text", "url", "percent", "lifetime")}),
)


class WaitingFilter(admin.SimpleListFilter):
    """Those that are still replayed, or those that are not."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The choices."""
        return [("waiting", _("Waiting")), ("expired", _("Expired"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notification]) -> QuerySet[Notification]:
        """The rows of the one chosen."""
        conditions: dict[str | None, dict[str, Any]] = {
            "waiting": {"expires_at__gt": timezone.now()},
            "expired": {"expires_at__lte": timezone.now()},
        }
        return queryset.filter(**conditions.get(self.value(), {}))


class NotificationAdmin(KeptRows, PeopleNamed, _Admin):
    """Of the tenant in force. On an admin site of your own: ``site.register(Notification, NotificationAdmin)``."""

    list_display = ("shown_content", "kind", "shown_audience", "created_at", "expires_at", "acknowledged")
    list_filter = ("kind", "audience", WaitingFilter)
    sortable_by = ("created_at", "expires_at")
    search_fields = ("channel", "values__text", "values__url")
    search_help_text = _("By text, address or channel.")
    ordering = ("-pk",)
    actions = ("send_again", "expire_now")
    readonly_fields = fields = (
        "content", "kind", "level", "link", "shown_audience", "channel", "created_at", "expires_at", "acknowledged",
    )  # fmt: skip
    add_form_template = "admin/channels_progress/notification/add_form.html"

    def has_expire_permission(self, request: HttpRequest) -> bool:
        """Who has the permission ``expire_notification``."""
        return request.user.has_perm("channels_progress.expire_notification")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notification]:
        """With how many have acknowledged each."""
        receipts = Receipt.objects.filter(notification=OuterRef("pk")).order_by().values("notification")
        count = Subquery(receipts.annotate(count=Count("pk")).values("count"))
        own: QuerySet[Notification] = super().get_queryset(request).filter(space=find_space())
        return own.annotate(acknowledged_by=Coalesce(count, 0))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send something, and store it if it is to be kept."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form: Any = SendingForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            notification = form.make_notification()
            self._send(request, notification, is_kept=form.is_kept)
            return self.response_post_save_add(request, notification)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Send a notification"),
            "adminform": AdminForm(form, FORM_LAYOUT, {}, model_admin=self),
            "errors": AdminErrorList(form, []),
            "media": self.media + form.media,
            "inline_admin_formsets": [],
            "is_popup": False,
            "preserved_filters": self.get_preserved_filters(request),
            **(extra_context or {}),
        }
        return self.render_change_form(request, context, add=True, form_url=form_url)

    @admin.action(description=_("Send again to whoever is connected"), permissions=["add"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Notification]) -> None:
        """Stops where the layer does not take one: each further one would only wait for it."""
        answers: dict[bool | None, list[Notification]] = {True: [], None: [], False: []}
        for notification in queryset.order_by("pk"):
            answers[notification.send()].append(notification)
            if answers[False]:
                break
        if sent := answers[True]:
            self._log(request, sent, _("Sent again."))
            text = ngettext("%(count)d notification sent again.", "%(count)d notifications sent again.", len(sent))
            self.message_user(request, text % {"count": len(sent)}, messages.SUCCESS)
        if answers[None]:
            self.message_user(request, _("An audience is switched off in the settings."), messages.WARNING)
        if answers[False]:
            self.message_user(request, _("The channel layer does not answer."), messages.ERROR)

    @admin.action(description=_("Expire now"), permissions=["expire"])
    def expire_now(self, request: HttpRequest, queryset: QuerySet[Notification]) -> None:
        """Nobody gets them any more; who has them keeps them."""
        waiting = list(queryset.filter(expires_at__gt=timezone.now()))
        Notification.objects.filter(pk__in=[row.pk for row in waiting]).update(expires_at=timezone.now())
        self._log(request, waiting, _("Expired."))
        text = ngettext("%(count)d notification expired.", "%(count)d notifications expired.", len(waiting))
        self.message_user(request, text % {"count": len(waiting)}, messages.SUCCESS)

    @admin.display(description=_("content"))
    def shown_content(self, notification: Notification) -> str:
        """The beginning of it."""
        return shorten(notification.content, SHOWN_CHARS) or "-"

    @admin.display(description=_("content"))
    def content(self, notification: Notification) -> str:
        """All of it."""
        return notification.content

    @admin.display(description=_("level"))
    def level(self, notification: Notification) -> str:
        """Of a message."""
        return str(LEVELS.get(notification.values.get("cssClass", ""), ""))

    @admin.display(description=_("link"))
    def link(self, notification: Notification) -> str:
        """Where a click on a message leads."""
        return str(notification.values.get("clickURL") or "")

    @admin.display(description=_("audience"))
    def shown_audience(self, notification: Notification) -> str:
        """A user by name, an object or a channel by its own, the others in words."""
        owner = getattr(notification, "owner", None)
        if owner:
            return format_html('<a href="{}">{}</a>', owner.url, owner.label) if owner.url else owner.label
        is_named = notification.audience in {"user", "object", "channel"}
        return notification.channel if is_named else notification.get_audience_display()

    @admin.display(description=_("acknowledged by"))
    def acknowledged(self, notification: Notification) -> int:
        """How many have it: people, and sessions of visitors."""
        return int(getattr(notification, "acknowledged_by", 0))

    def describe(self, request: HttpRequest, rows: Any) -> None:
        """The person whom each was sent to, if to one."""
        owners = describe_owners(
            (row.channel for row in rows if row.audience == "user"), make_find_url(self.admin_site, request)
        )
        for notification in rows:
            notification.owner = owners.get(notification.channel)

    def _log(self, request: HttpRequest, notifications: list[Notification], text: Any) -> None:
        user: Any = request.user
        if notifications:
            LogEntry.objects.log_actions(user.pk, notifications, CHANGE, str(text))

    def _send(self, request: HttpRequest, notification: Notification, *, is_kept: bool) -> None:
        if is_kept:
            notification.save()
        sent = notification.send()
        self.log_addition(request, notification, [{"added": {}}])
        if sent:
            self.message_user(request, _("Sent."), messages.SUCCESS)
        elif is_kept:
            text = _("The channel layer does not answer. It was stored, and waits for those who come.")
            self.message_user(request, text, messages.WARNING)
        else:
            self.message_user(request, _("The channel layer does not answer: nobody has got it."), messages.ERROR)
