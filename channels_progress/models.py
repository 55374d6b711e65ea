"""The models of this app: stored messages, and what :mod:`channels_progress.tables` and ``inbox_tables`` have.

A notification is one row, whoever is to see it: who has it has a receipt, so that one person's acknowledgement takes it
from nobody else. ``inbox`` asks for many at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from channels_progress.audiences import (
    CHANNEL_MAX_CHARS,
    Audience,
    AudienceKind,
    find_audiences,
    get_channel_name_for_user,
    object_audience,
)
from channels_progress.broadcast_events import Event, redirect_event
from channels_progress.conf import get_settings
from channels_progress.inbox_tables import DeliveryRecord, InboxItem, Notice, NotificationPreference
from channels_progress.send import Parcel, send
from channels_progress.spaces import find_space, make_key
from channels_progress.tables import StoredList, StoredMessage, StoredTask, Task
from channels_progress.values import shorten
from channels_progress.viewers import Viewer

__all__ = [
    "DeliveryRecord",
    "InboxItem",
    "Notice",
    "Notification",
    "NotificationPreference",
    "Receipt",
    "StoredList",
    "StoredMessage",
    "StoredTask",
    "Task",
]

#: What can be stored, with the words of the admin. HTML cannot: it is made for the pages open now.
KINDS = {"message": _("Message"), "redirect": _("Redirect"), "progress": _("Progress")}
_CONTENTS = {"message": "text", "redirect": "url", "progress": "percent"}
#: Who should see it, likewise.
AUDIENCES = {
    str(AudienceKind.ALL): _("Everybody"),
    str(AudienceKind.AUTHENTICATED): _("Everybody who is logged in"),
    str(AudienceKind.ANONYMOUS): _("Everybody who is not logged in"),
    str(AudienceKind.USER): _("One user"),
    str(AudienceKind.OBJECT): _("Pages of an object"),
    str(AudienceKind.CHANNEL): _("Pages of a channel"),
}
#: A recipient that every database compares alike, and who is no secret; others are hashed.
_PLAIN = re.compile(r"user:[a-z0-9_.-]{1,59}", re.ASCII)


class NotificationQuerySet(models.QuerySet["Notification"]):
    """Notifications, as they can be asked for."""

    def in_space(self) -> Self:
        """Those of the namespace in force: with one per tenant, of this tenant."""
        return self.filter(space=find_space())

    def on(self, channels: Iterable[str]) -> Self:
        """Those to these channels, in the namespace in force."""
        space = find_space()
        return self.filter(key__in={make_key(space, channel) for channel in channels})

    def unexpired(self) -> Self:
        """Those that are still replayed."""
        return self.filter(expires_at__gt=timezone.now())

    def unacknowledged_by(self, recipient: str) -> Self:
        """Those that this recipient (``Viewer.owner_key``) has no receipt for."""
        receipts = Receipt.objects.filter(notification=models.OuterRef("pk"), recipient=name_recipient(recipient))
        return self.filter(~models.Exists(receipts))


_Manager = models.Manager.from_queryset(NotificationQuerySet)


class NotificationManager(_Manager["Notification"]):
    """Stores notifications, and finds who has not seen them."""

    def make(self, audience: Audience, event: Event, lifetime: timedelta) -> Notification:
        """A row that is not stored yet.

        Args:
            audience: Who should see it.
            event: As ``broadcast_events`` makes it; HTML cannot be stored.
            lifetime: How long it is kept for those who are away.
        """
        values = {**event}
        kind, space, now = values.pop("type"), find_space(), timezone.now()
        if kind not in KINDS:
            raise ValueError(f"The event is of type {kind!r}; one of {', '.join(KINDS)} can be stored.")
        return self.model(
            key=make_key(space, audience.channel),
            space=space,
            audience=str(audience.kind),
            channel=audience.channel,
            kind=kind,
            values=values,
            created_at=now,
            expires_at=now + lifetime,
        )

    def store(self, audience: Audience, event: Event, lifetime: timedelta) -> Notification:
        """Add a row, and send nothing; see ``make``."""
        notification = self.make(audience, event, lifetime)
        notification.save(force_insert=True)
        return notification

    def send_redirect(self, obj: models.Model, url: str) -> Notification:
        """Store a redirect for the pages of an object and send it after the commit; each page follows it once.

        Raises:
            TypeError: This is no model instance, or ``url`` no string.
            ValueError: The object is not saved yet, or ``url`` leads elsewhere.
        """
        lifetime = timedelta(seconds=get_settings().NOTIFICATION_TTL_S)
        notification = self.store(object_audience(obj), redirect_event(url), lifetime)
        notification.send()
        return notification

    def unacknowledged(self, user: Any, *, channels: Iterable[str] = ()) -> NotificationQuerySet:
        """What waits for a user, oldest first: to everybody, to who is logged in, to them.

        Args:
            user: A user.
            channels: Others that their pages subscribe to: of objects, or named.
        """
        recipient = get_channel_name_for_user(user)
        own = [audience.channel for audience in find_audiences(Viewer(user))]
        return self.on([*own, *channels]).unexpired().unacknowledged_by(recipient).order_by("pk")


class Notification(models.Model):
    """Something that was broadcast, kept for those who were away.

    Permissions: ``view_notification`` (look at everybody's in the admin), ``add_notification`` (send there) and
    ``expire_notification`` (take back there what waits).

    Attributes:
        id: Growing; what a page acknowledges.
        key: Made of namespace and channel; the one that is asked for.
        space: Made of the namespace.
        audience: A key of ``AUDIENCES``.
        channel: What the pages of the audience subscribe to, to be read.
        kind: A key of ``KINDS``.
        values: The event without its type.
        created_at: When it was stored.
        expires_at: From then on it is not replayed, and will be pruned.
    """

    id = models.BigAutoField(primary_key=True)
    key = models.CharField(max_length=64)
    space = models.CharField(max_length=32)
    audience = models.CharField(_("audience"), max_length=16, choices=AUDIENCES)
    channel = models.CharField(_("channel"), max_length=CHANNEL_MAX_CHARS)
    kind = models.CharField(_("kind"), max_length=16, choices=KINDS)
    values = models.JSONField(_("content"))
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("expires"), db_index=True)

    objects = NotificationManager()

    class Meta:
        default_permissions = ("view", "add", "expire")
        indexes = (
            models.Index(fields=["key", "id"], name="channels_progress_waiting"),
            models.Index(fields=["space", "id"], name="channels_progress_tenant"),
        )
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")

    def __str__(self) -> str:
        return shorten(f"{self.channel}: {self.content}", 60)

    @property
    def content(self) -> str:
        """What people see of it: the text, the URL or the percentage."""
        return str(self.values[_CONTENTS[self.kind]])

    @property
    def event(self) -> Event:
        """As ``broadcast_events`` has made it."""
        return {"type": self.kind, **self.values}

    def send(self, *, exclude: str = "") -> bool | None:
        """Send it, after the commit if there is a transaction: to whoever is connected, acknowledged or not.

        One that is not stored is sent as well; nobody can acknowledge it.

        Args:
            exclude: The id of a page that should not get it.

        Returns:
            See :mod:`channels_progress.send`.
        """
        parcel = Parcel(Audience(AudienceKind(self.audience), self.channel), self.event, exclude, self.pk or 0)
        return send(parcel, on_commit=self._state.db or True)

    def acknowledge(self, user: Any) -> None:
        """This user has it: no page of theirs gets it again."""
        Receipt.objects.acknowledge(get_channel_name_for_user(user), {self.pk: self.expires_at})


class ReceiptManager(models.Manager["Receipt"]):
    """Writes receipts."""

    def acknowledge(self, recipient: str, expiries: dict[int, Any]) -> None:
        """This recipient (``Viewer.owner_key``) has these notifications, given with when they expire.

        Whoever comes second, from another tab, changes nothing.
        """
        name, now = name_recipient(recipient), timezone.now()
        receipts = [
            Receipt(notification_id=pk, recipient=name, acknowledged_at=now, expires_at=expires_at)
            for pk, expires_at in expiries.items()
        ]
        self.bulk_create(receipts, ignore_conflicts=True)


class Receipt(models.Model):
    """That one recipient has one notification.

    Without a constraint, and with an end of its own: one that is written while its notification is pruned is no error,
    and does not stay.

    Attributes:
        notification: Which.
        recipient: See ``name_recipient``.
        acknowledged_at: When a page of theirs said so first.
        expires_at: That of the notification, when it was acknowledged.
    """

    id = models.BigAutoField(primary_key=True)
    notification = models.ForeignKey(
        Notification, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="receipts"
    )
    recipient = models.CharField(max_length=64)
    acknowledged_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    objects = ReceiptManager()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["notification", "recipient"], name="channels_progress_once"),)

    def __str__(self) -> str:
        return f"{self.recipient} {self.notification_id}"


def name_recipient(recipient: str) -> str:
    """How a receipt has a ``Viewer.owner_key``: hashed where it is a nonce, or what databases may compare otherwise.

    A receipt is one of a notification, and so of one namespace.
    """
    if _PLAIN.fullmatch(recipient):
        return recipient
    return make_key("recipient", recipient)
