"""The tables of the inbox: what was said, who has it, which ways it takes besides, and who does not want it.

They have no constraints between them, and none to the project's users, which may live in another database, or be gone:
a person is found by ``owner``, which :mod:`channels_progress.spaces` makes of the namespace and their channel.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from channels_progress.values import shorten


class ItemStatus(models.TextChoices):
    """Whether an inbox shows an item. Only active ones are listed, counted and found; the others wait to be pruned."""

    ACTIVE = "ACTIVE", _("Active")
    INACTIVE = "INACTIVE", _("Not listed")
    DRAFT = "DRAFT", _("Draft")
    REMOVED = "REMOVED", _("Removed")
    DELETED = "DELETED", _("Deleted")


class DeliveryState(models.TextChoices):
    """How far a delivery is.

    ``WAITING`` and ``SENDING`` are on their way; what a worker was busy with when it was killed is ``UNKNOWN`` after a
    while: it may have been sent or not.
    """

    WAITING = "WAITING", _("Waiting")
    SENDING = "SENDING", _("Being sent")
    SUCCEEDED = "SUCCEEDED", _("Sent")
    FAILED = "FAILED", _("Failed")
    CANCELLED = "CANCELLED", _("Not needed")
    UNKNOWN = "UNKNOWN", _("Unknown")


class Notice(models.Model):
    """What ``notify`` was told, once, whoever gets it.

    Attributes:
        space: Made of the namespace.
        namespace: Itself: a worker that delivers later acts in it.
        text: What people read.
        level: Of ``django.contrib.messages``.
        kind: What people choose by whether they want it, or an empty string.
        action: What was done, in a word or two: ``POST`` or ``PATCH`` for clients of the reference.
        url: Where it leads, or an empty string.
        actor_pk: The key of the user who did it, as text, or an empty string.
        model: The label of the model of the object it is about (``"blog.Post"``), or an empty string.
        object_pk: The object's key, as text.
        instance: The object's fields as they were, or None.
        changed: What changed: ``{field: {"original": …, "new": …}}``.
        data: Whatever the project has added, or None.
        recipients: How many people have it.
        created_at: When it was said.
        expires_at: From then on it may be pruned, with its items.
    """

    id = models.BigAutoField(primary_key=True)
    space = models.CharField(max_length=32)
    namespace = models.TextField()
    text = models.TextField(_("text"))
    level = models.CharField(_("level"), max_length=16)
    kind = models.CharField(_("kind"), max_length=64, blank=True)
    action = models.CharField(_("action"), max_length=64, blank=True)
    url = models.TextField(_("URL"), blank=True)
    actor_pk = models.CharField(max_length=255, blank=True)
    model = models.CharField(_("model"), max_length=200, blank=True)
    object_pk = models.CharField(max_length=255, blank=True)
    instance = models.JSONField(null=True)
    changed = models.JSONField(default=dict)
    data = models.JSONField(null=True)
    recipients = models.PositiveIntegerField(_("recipients"), default=0)
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("expires"), db_index=True)

    objects: ClassVar[models.Manager[Notice]] = models.Manager()

    class Meta:
        default_permissions = ("view",)
        indexes = (models.Index(fields=["space", "id"], name="channels_progress_said"),)
        verbose_name = _("inbox notification")
        verbose_name_plural = _("inbox notifications")

    def __str__(self) -> str:
        return shorten(self.text, 60)


class InboxItem(models.Model):
    """One person's copy of a notice: what deliveries are given as ``notification``.

    Attributes:
        uid: What the API knows it by.
        owner: Made of the namespace and the person's channel; what all is asked by.
        user_pk: The person's key, as text.
        notice: What it says.
        status: Whether it is listed.
        read_at: When the person has seen it, or None.
        updated_at: When any of this changed last.
    """

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(unique=True, default=uuid.uuid4)
    owner = models.CharField(max_length=64)
    user_pk = models.CharField(max_length=255)
    notice = models.ForeignKey(Notice, on_delete=models.DO_NOTHING, db_constraint=False, related_name="items")
    status = models.CharField(_("status"), max_length=16, choices=ItemStatus, default=ItemStatus.ACTIVE)
    read_at = models.DateTimeField(_("read"), null=True)
    created_at = models.DateTimeField(_("created"))
    updated_at = models.DateTimeField(_("changed"))
    expires_at = models.DateTimeField(_("expires"), db_index=True)

    objects: ClassVar[models.Manager[InboxItem]] = models.Manager()

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["owner", "status", "id"], name="channels_progress_inbox"),
            # All that is counted, and asked again every few seconds for each inbox that is open.
            models.Index(fields=["owner", "status", "read_at", "updated_at"], name="channels_progress_counts"),
        )

    def __str__(self) -> str:
        return str(self.uid)

    @property
    def is_read(self) -> bool:
        """Whether the person has seen it."""
        return self.read_at is not None


class DeliveryRecord(models.Model):
    """One way that one item takes. There is no second one for the same way.

    Attributes:
        item: Which.
        owner: That of the item.
        delivery: The name of the way: a key of ``deliveries.get_deliveries()``.
        state: How far it is.
        condition: Asked when it is due; an empty string is always true.
        due_at: Not before; what waits for others to go with it leaves then at the latest.
        look_at: When the periodic task looks at it next, if it has not moved on until then.
        attempts: How often it was tried.
        claim: Random, made by whoever is sending it; an empty string where nobody is.
        claimed_at: Since when.
        done_at: When it succeeded, failed for good or was cancelled.
        error: Why it failed last, for staff.
    """

    id = models.BigAutoField(primary_key=True)
    item = models.ForeignKey(
        InboxItem, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="deliveries"
    )
    owner = models.CharField(max_length=64)
    delivery = models.CharField(_("delivery"), max_length=64)
    state = models.CharField(_("state"), max_length=16, choices=DeliveryState, default=DeliveryState.WAITING)
    condition = models.CharField(_("condition"), max_length=255, blank=True)
    due_at = models.DateTimeField(_("due"))
    look_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    claim = models.CharField(max_length=32, blank=True)
    claimed_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(_("done"), null=True)
    error = models.TextField(_("error"), blank=True)
    expires_at = models.DateTimeField(db_index=True)

    objects: ClassVar[models.Manager[DeliveryRecord]] = models.Manager()

    class Meta:
        default_permissions = ("view", "resend")
        constraints = (models.UniqueConstraint(fields=["item", "delivery"], name="channels_progress_one_way"),)
        indexes = (
            models.Index(fields=["state", "look_at"], name="channels_progress_due"),
            models.Index(fields=["owner", "delivery", "state"], name="channels_progress_pending"),
        )
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")

    def __str__(self) -> str:
        return f"{self.delivery} {self.pk}"


class NotificationPreference(models.Model):
    """What one person does not want, or wants after all. Whatever a row says no to is not sent.

    Attributes:
        owner: As in ``InboxItem``.
        user_pk: Likewise.
        delivery: Which way it is about; an empty string: all of them, and the inbox itself.
        kind: Which kind of notice; an empty string: every kind.
        is_enabled: Whether they want it.
    """

    id = models.BigAutoField(primary_key=True)
    owner = models.CharField(max_length=64)
    user_pk = models.CharField(max_length=255)
    delivery = models.CharField(max_length=64, blank=True)
    kind = models.CharField(max_length=64, blank=True)
    is_enabled = models.BooleanField(default=True)

    objects: ClassVar[models.Manager[NotificationPreference]] = models.Manager()

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["owner", "delivery", "kind"], name="channels_progress_preference"),
        )

    def __str__(self) -> str:
        return f"{self.user_pk} {self.delivery}"
