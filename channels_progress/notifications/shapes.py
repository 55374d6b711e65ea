"""Inboxes as JSON: the field names that django-notifications-websocket has published, so that its front ends work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.module_loading import import_string

from channels_progress.conf import get_settings
from channels_progress.models import InboxItem
from channels_progress.notifications.pages import InboxPage
from channels_progress.notifications.people import find_people

#: What stands for an action that is not named.
UNDEFINED = "UNDEFINED"


def describe_page(user: Any, page: InboxPage) -> dict[str, Any]:
    """``results`` and ``pagination``, as the socket answers them; ``results`` is what the API answers."""
    return {
        "results": {
            "total_notifications": page.total,
            "read_notifications": page.read,
            "unread_notifications": page.unread,
            "notifications": describe_items(user, page.items),
        },
        "pagination": {
            "page": page.page,
            "page_size": page.page_size,
            "total_pages": page.total_pages,
            "total_items": page.total_items,
        },
    }


def describe_items(user: Any, items: Iterable[InboxItem]) -> list[dict[str, Any]]:
    """Items of one person. The people behind them are loaded in one step, whatever their number."""
    items = list(items)
    people = _load_people({str(user.pk), *(item.notice.actor_pk for item in items if item.notice.actor_pk)})
    shown = {pk: _describe_user(person) for pk, person in people.items()}
    return [_describe_item(item, shown) for item in items]


def _describe_item(item: InboxItem, people: Mapping[str, Any]) -> dict[str, Any]:
    notice = item.notice
    return {
        "id": item.pk,
        "uid": str(item.uid),
        "user": people.get(item.user_pk),
        "notification": {
            "message": notice.text,
            "model": notice.model.rpartition(".")[2],
            "instance": notice.instance or {},
            "method": notice.action or UNDEFINED,
            "changed_data": notice.changed,
            "level": notice.level,
            "kind": notice.kind,
            "url": notice.url or None,
        },
        "is_read": item.is_read,
        "custom_info": notice.data,
        "created_by": people.get(notice.actor_pk),
        "status": item.status,
        "created_at": _format(item.created_at),
        "updated_at": _format(item.updated_at),
    }


def _format(moment: Any) -> str:
    return str(moment.isoformat()).replace("+00:00", "Z")


def _load_people(pks: Iterable[str]) -> dict[str, Any]:
    settings = get_settings()
    users = find_people(pks)
    if settings.INBOX_USER_SELECT_RELATED:
        users = users.select_related(*settings.INBOX_USER_SELECT_RELATED)
    users = users.prefetch_related(*settings.INBOX_USER_PREFETCH_RELATED)
    return {str(user.pk): user for user in users}


def _describe_user(user: Any) -> Any:
    if path := get_settings().INBOX_USER_SERIALIZER:
        described = import_string(path)(user)
        # A serializer of Django REST framework has it; what else may be named is a plain function.
        return getattr(described, "data", described)
    names = {name: getattr(user, name) for name in ("first_name", "last_name") if hasattr(user, name)}
    return {"id": user.pk, "name": _find_name(user), **names}


def _find_name(user: Any) -> str:
    """What a user is called; where that is their e-mail address, the full name: others see it who need not know it."""
    name = str(user)
    address = getattr(user, getattr(user, "get_email_field_name", lambda: "email")(), "") or ""
    if address and address.lower() in name.lower():
        return str(user.get_full_name()) if hasattr(user, "get_full_name") else ""
    return name
