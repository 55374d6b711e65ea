"""What is said, found right and made a row, before anything is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Model
from django.utils import timezone

from channels_progress.addresses import clean_url
from channels_progress.conf import get_namespace, get_settings
from channels_progress.models import Notice
from channels_progress.notifications.contents import keep_json
from channels_progress.notifications.objects import describe_instance
from channels_progress.notifications.recipients import is_user
from channels_progress.spaces import find_space
from channels_progress.values import clean_level, clean_text, shorten

#: Every database compares these alike: people choose by them.
KIND = re.compile(r"[a-z0-9_.:-]{0,64}")
ACTION_MAX_CHARS = 64


def make_notice(
    text: Any,
    *,
    level: Any,
    actor: Any,
    instance: Model | None,
    action: str,
    url: str | None,
    data: Mapping[str, Any] | None,
    kind: str,
    serializer: Callable[[Any], Any] | None,
    changed: Mapping[str, Any] | None,
) -> Notice:
    """A row that is not stored yet; see ``service.notify`` for what each is, and what is raised."""
    settings, now = get_settings(), timezone.now()
    return Notice(
        space=find_space(),
        namespace=get_namespace(),
        text=clean_text(text, "text", settings.MESSAGE_MAX_CHARS),
        level=clean_level(level),
        kind=clean_kind(kind),
        action=_clean_action(action),
        url=clean_url(url) if url else "",
        actor_pk=_find_key(actor),
        **_describe_object(instance, serializer),
        changed=_copy_mapping(changed, "changed") or {},
        data=_copy_mapping(data, "data"),
        created_at=now,
        expires_at=now + timedelta(seconds=settings.INBOX_TTL_S),
    )


def clean_kind(kind: Any) -> str:
    """The name of a kind of notices.

    Raises:
        TypeError: It is not a string.
        ValueError: It is not what every database compares alike.
    """
    if not isinstance(kind, str):
        raise TypeError(f"kind is {type(kind).__name__} {shorten(repr(kind), 60)}; a string is expected.")
    if not KIND.fullmatch(kind):
        raise ValueError(f"kind is {shorten(repr(kind), 60)}; at most 64 of a-z, 0-9 and _.:- are expected.")
    return kind


def _clean_action(action: Any) -> str:
    text = clean_text(action, "action", ACTION_MAX_CHARS + 1)
    if len(text) > ACTION_MAX_CHARS:
        raise ValueError(f"action is {shorten(repr(action), 60)}; at most {ACTION_MAX_CHARS} characters are expected.")
    return text


def _find_key(actor: Any) -> str:
    """Their key as text; an empty string for nobody in particular, such as an anonymous visitor."""
    if actor is None:
        return ""
    if not is_user(actor):
        raise TypeError(f"actor is {type(actor).__name__} {shorten(repr(actor), 60)}; a user is expected.")
    return "" if actor.pk is None else str(actor.pk)


def _describe_object(instance: Any, serializer: Callable[[Any], Any] | None) -> dict[str, Any]:
    if instance is None:
        if serializer is not None:
            raise TypeError("serializer is given without an instance.")
        return {}
    if not isinstance(instance, Model):
        raise TypeError(f"instance is {type(instance).__name__} {shorten(repr(instance), 60)}; a model's is expected.")
    return {
        "model": instance._meta.label,
        # Of one that was deleted there is none.
        "object_pk": "" if instance.pk is None else str(instance._meta.pk.value_to_string(instance)),
        "instance": describe_instance(instance, serializer),
    }


def _copy_mapping(value: Any, name: str) -> Any:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is {type(value).__name__} {shorten(repr(value), 60)}; a dict is expected.")
    return keep_json(dict(value), name)
