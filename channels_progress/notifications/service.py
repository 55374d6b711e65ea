"""Notify people: what they should know, kept in the inbox of each and delivered as asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.db import router, transaction
from django.db.models import Model
from django.utils import timezone

from channels_progress.addresses import clean_url
from channels_progress.audiences import get_channel_name_for_user
from channels_progress.conf import get_settings
from channels_progress.models import InboxItem, Notice
from channels_progress.notifications.hints import tell_changes
from channels_progress.notifications.people import find_owner
from channels_progress.spaces import find_space
from channels_progress.values import clean_level, clean_text


def notify(
    recipients: Any,
    text: Any,
    *,
    level: Any = "info",
    actor: Any = None,
    instance: Model | None = None,
    action: str = "",
    url: str | None = None,
    data: Mapping[str, Any] | None = None,
    deliveries: Collection[str] = ("websocket",),
    countdown: float = 0,
    condition: str | Callable[..., bool] | None = None,
    on_commit: bool = True,
    kind: str = "",
    serializer: Callable[[Any], Any] | None = None,
    changed: Mapping[str, Any] | None = None,
    silent: bool = False,
) -> Notice:
    """Put something into the inbox of each recipient, and deliver it. The contract file says what each argument is."""
    users = list(recipients) if isinstance(recipients, Iterable) else [recipients]
    now, settings, using = timezone.now(), get_settings(), router.db_for_write(InboxItem)
    expires_at = now + timedelta(seconds=settings.INBOX_TTL_S)
    for user in users:
        get_channel_name_for_user(user)
    with transaction.atomic(using=using):
        notice = Notice.objects.using(using).create(
            space=find_space(),
            text=clean_text(text, "text", settings.MESSAGE_MAX_CHARS),
            level=clean_level(level),
            kind=kind,
            action=action,
            url=clean_url(url) if url else "",
            actor_pk="" if actor is None else str(actor.pk),
            data=data,
            recipients=len(users),
            created_at=now,
            expires_at=expires_at,
        )
        InboxItem.objects.using(using).bulk_create(
            InboxItem(
                owner=find_owner(user),
                user_pk=str(user.pk),
                notice=notice,
                created_at=now,
                updated_at=now,
                expires_at=expires_at,
            )
            for user in users
        )
        tell_changes([str(user.pk) for user in users], on_commit=using if on_commit else None)
    return notice


anotify = sync_to_async(notify)
