"""Takes what is a person's out of the tables once they are deleted."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import router, transaction
from django.db.models.signals import post_delete

from channels_progress.models import DeliveryRecord, InboxItem, Notice, NotificationPreference
from channels_progress.notifications.people import find_owner


def forget(user: Any) -> None:
    """Remove a user's inbox, what is under way to them, what was said to nobody else, and their preferences.

    In the namespace in force; what they have in others expires there.
    """
    using, owner = router.db_for_write(InboxItem), find_owner(user)
    items = InboxItem.objects.using(using).filter(owner=owner)
    with transaction.atomic(using=using):
        DeliveryRecord.objects.using(using).filter(owner=owner).delete()
        Notice.objects.using(using).filter(recipients=1, pk__in=items.values("notice")).delete()
        items.delete()
        NotificationPreference.objects.using(using).filter(owner=owner).delete()


def connect_receivers() -> None:
    """Forget whoever is deleted from now on. Does nothing in a project without users."""
    if not apps.is_installed("django.contrib.auth"):
        return
    user_model = get_user_model()._meta.concrete_model
    for model in apps.get_models():
        # A proxy's signals are its own. To hear those of all models would slow down how they are deleted.
        if model._meta.concrete_model is user_model:
            post_delete.connect(_forget_deleted, sender=model, dispatch_uid=f"channels_progress.{model._meta.label}")


def _forget_deleted(*, instance: Any, **kwargs: Any) -> None:
    forget(instance)
