"""Notifications for those who want an object: the interface that django-notifications-websocket has published.

What goes wrong is raised, not answered as a dict, and nobody is asked who the current user is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Count, Model, Q, QuerySet

from channels_progress.models import InboxItem, Notice
from channels_progress.notifications.objects import changed_fields
from channels_progress.notifications.pages import find_items, find_items_about
from channels_progress.notifications.service import notify
from channels_progress.values import shorten

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "UNDEFINED")


class NotificationService:
    """Says something about an object, in the name of a user, and finds what that user was told.

    Attributes:
        requested_user: Who does it, and whose notifications are asked for.
        message: What people read.
        instance: The object that it is about.
        method: What was done to it: one of ``METHODS``. With ``PUT`` and ``PATCH``, what saving the object would change
            is kept as well: create the notification before.
        user_list: Who gets it: a user, an iterable of users, or a queryset.
        serializer: What describes the object: a serializer class, or a callable that returns a dict.
    """

    def __init__(
        self,
        requested_user: Any = None,
        message: Any = None,
        instance: Model | None = None,
        method: str | None = None,
        user_list: Any = None,
        serializer: Callable[[Any], Any] | None = None,
    ) -> None:
        """Raises ValueError where ``method`` is none of ``METHODS``, in upper or lower case."""
        self.requested_user = requested_user
        self.message = message
        self.instance = instance
        self.method = _clean_method(method)
        self.user_list = user_list
        self.serializer = serializer

    def create_notification(self, **options: Any) -> Notice:
        """Notify the people of ``user_list``.

        Args:
            options: What else ``notify`` takes: ``url``, ``deliveries``, ``kind`` …

        Raises:
            TypeError, ValueError: As ``notify`` and ``changed_fields`` do, and where one of ``requested_user``,
                ``message``, ``instance`` and ``user_list`` is missing.
        """
        for name in ("requested_user", "message", "instance", "user_list"):
            self._require(name)
        if self.method in ("PUT", "PATCH") and "changed" not in options:
            options["changed"] = changed_fields(self._require("instance"))
        return notify(
            self.user_list,
            self.message,
            **{
                "actor": self.requested_user,
                "instance": self.instance,
                "serializer": self.serializer,
                "action": self.method,
                **options,
            },
        )

    def get_requested_user_notifications(self) -> dict[str, Any]:
        """What the inbox of ``requested_user`` lists, and how much of it was read.

        Returns:
            ``notifications``, a queryset of inbox items with their notices, the newest first; ``total_notifications``,
            ``read_notifications`` and ``unread_notifications``.
        """
        items = find_items(self._require("requested_user"))
        counts = items.aggregate(total=Count("pk"), read=Count("pk", filter=Q(read_at__isnull=False)))
        return {
            "notifications": _prepare(items),
            "total_notifications": counts["total"],
            "read_notifications": counts["read"],
            "unread_notifications": counts["total"] - counts["read"],
        }

    def get_model_notifications(self, model_name: type[Model] | str) -> QuerySet[InboxItem]:
        """What of it is about objects of this model, given as its class, its name, or its label (``"blog.Blog"``)."""
        return _prepare(find_items_about(self._require("requested_user"), model_name))

    def _require(self, name: str) -> Any:
        if (value := getattr(self, name)) is None:
            raise ValueError(f"{name} is missing: give it to NotificationService().")
        return value


def _clean_method(method: Any) -> str:
    name = "UNDEFINED" if method is None else method.upper() if isinstance(method, str) else method
    if name not in METHODS:
        raise ValueError(f"method is {shorten(repr(method), 60)}; one of {', '.join(METHODS)} is expected.")
    return str(name)


def _prepare(items: QuerySet[InboxItem]) -> QuerySet[InboxItem]:
    return items.select_related("notice").order_by("-pk")
