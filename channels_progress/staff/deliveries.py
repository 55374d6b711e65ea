"""Deliveries in Django's admin: how far each is, why it failed, and sending it again; and what they deliver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from channels_progress.audiences import USER_CHANNEL_PREFIX
from channels_progress.inbox_tables import DeliveryState
from channels_progress.models import DeliveryRecord, Notice
from channels_progress.notifications.deliveries import get_deliveries
from channels_progress.notifications.deliveries.resending import send_again
from channels_progress.spaces import find_space
from channels_progress.staff.kept import KeptRows, PeopleNamed
from channels_progress.staff.owners import describe_owners
from channels_progress.staff.user_links import make_find_url
from channels_progress.values import shorten

if TYPE_CHECKING:
    _RecordAdmin = admin.ModelAdmin[DeliveryRecord]
    _NoticeAdmin = admin.ModelAdmin[Notice]
else:
    _RecordAdmin = _NoticeAdmin = admin.ModelAdmin

SHOWN_CHARS = 60


class _ReadOnly(KeptRows):
    """Nobody adds any, either."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False


class WayFilter(admin.SimpleListFilter):
    """Those of one delivery that the settings have. (Asking the table for all that it has would read all of it.)"""

    title = _("delivery")
    parameter_name = "delivery"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The choices."""
        return [(name, name) for name in get_deliveries()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[DeliveryRecord]) -> QuerySet[DeliveryRecord]:
        """The rows of the one chosen."""
        return queryset.filter(delivery=self.value()) if self.value() else queryset


class DeliveryRecordAdmin(_ReadOnly, PeopleNamed, _RecordAdmin):
    """Of the tenant in force. On a site of your own: ``site.register(DeliveryRecord, DeliveryRecordAdmin)``."""

    list_display = ("shown_text", "delivery", "person", "state", "attempts", "due_at", "done_at", "shown_error")
    list_filter = ("state", WayFilter)
    sortable_by = ("due_at", "done_at")
    ordering = ("-pk",)
    search_fields = ("item__notice__text", "error")
    search_help_text = _("By text or error.")
    actions = ("send_again",)
    readonly_fields = fields = (
        "shown_text", "delivery", "person", "state", "condition", "due_at", "attempts", "claimed_at", "done_at",
        "error",
    )  # fmt: skip

    def has_resend_permission(self, request: HttpRequest) -> bool:
        """Who has the permission ``resend_deliveryrecord``."""
        return request.user.has_perm("channels_progress.resend_deliveryrecord")

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeliveryRecord]:
        """With what they deliver."""
        own = super().get_queryset(request).filter(item__notice__space=find_space())
        return own.select_related("item__notice")

    @admin.action(description=_("Send again (what is unknown may arrive twice)"), permissions=["resend"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[DeliveryRecord]) -> None:
        """Those that failed, are unknown, or were not needed; the others are on their way, or have arrived."""
        chosen = {record.pk: record for record in queryset}
        again = [chosen[pk] for pk in send_again([*chosen])]
        if again:
            user: Any = request.user
            LogEntry.objects.log_actions(user.pk, again, CHANGE, str(_("Sent again.")))
            text = ngettext("%(count)d delivery is sent again.", "%(count)d deliveries are sent again.", len(again))
            self.message_user(request, text % {"count": len(again)}, messages.SUCCESS)
        if left := len(chosen) - len(again):
            text = ngettext(
                "%(count)d delivery is on its way or has arrived.",
                "%(count)d deliveries are on their way or have arrived.",
                left,
            )
            self.message_user(request, text % {"count": left}, messages.WARNING)

    @admin.display(description=_("text"))
    def shown_text(self, record: DeliveryRecord) -> str:
        """The beginning of it."""
        return shorten(record.item.notice.text, SHOWN_CHARS)

    @admin.display(description=_("error"))
    def shown_error(self, record: DeliveryRecord) -> str:
        """The beginning of it."""
        return shorten(record.error, SHOWN_CHARS)

    @admin.display(description=_("user"))
    def person(self, record: DeliveryRecord) -> str:
        """Whose it is."""
        owner: Any = getattr(record, "person", None)
        return format_html('<a href="{}">{}</a>', owner.url, owner.label) if owner.url else owner.label

    def describe(self, request: HttpRequest, rows: Any) -> None:
        """The person whom each is for."""
        channels = {record.pk: f"{USER_CHANNEL_PREFIX}{record.item.user_pk}" for record in rows}
        owners = describe_owners(channels.values(), make_find_url(self.admin_site, request))
        for record in rows:
            record.person = owners[channels[record.pk]]


class NoticeAdmin(_ReadOnly, _NoticeAdmin):
    """Of the tenant in force. On an admin site of your own: ``site.register(Notice, NoticeAdmin)``."""

    list_display = ("shown_text", "level", "kind", "recipients", "created_at", "expires_at")
    list_filter = ("level",)
    sortable_by = ("created_at",)
    ordering = ("-pk",)
    search_fields = ("text",)
    readonly_fields = fields = (
        "text", "level", "kind", "action", "url", "model", "object_pk", "recipients", "read_by", "deliveries",
        "created_at", "expires_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notice]:
        """Of the tenant in force."""
        return super().get_queryset(request).filter(space=find_space())

    @admin.display(description=_("text"))
    def shown_text(self, notice: Notice) -> str:
        """The beginning of it."""
        return shorten(notice.text, SHOWN_CHARS)

    @admin.display(description=_("read by"))
    def read_by(self, notice: Notice) -> int:
        """How many have read it."""
        return notice.items.filter(read_at__isnull=False).count()

    @admin.display(description=_("deliveries"))
    def deliveries(self, notice: Notice) -> str:
        """How many there are of each kind and state."""
        records = DeliveryRecord.objects.filter(item__notice=notice).values_list("delivery", "state")
        counts = records.annotate(count=Count("pk")).order_by("delivery", "state")
        return ", ".join(f"{way}: {count} {DeliveryState(state).label}" for way, state, count in counts)
