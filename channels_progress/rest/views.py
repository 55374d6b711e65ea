"""The inbox of whoever asks: listed, read and marked. Whatever is somebody else's is not there."""

from __future__ import annotations

from typing import Any

from django.db import router
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from channels_progress.exceptions import InboxRequestRefused
from channels_progress.models import InboxItem
from channels_progress.notifications.marks import mark_all_read, mark_read, remove, remove_all, set_status
from channels_progress.notifications.pages import find_item, read_page
from channels_progress.notifications.shapes import describe_page
from channels_progress.rest.base import InboxApi
from channels_progress.rest.pagination import InboxPagination
from channels_progress.rest.schema import InboxSchema
from channels_progress.rest.serializers import InboxAction, InboxActionSerializer, InboxNotificationSerializer

NOT_THERE = "There is no such notification in this inbox."


class InboxViewSet(InboxApi):
    """The notifications of whoever asks."""

    pagination_class = InboxPagination
    schema = InboxSchema("inbox")

    def get_serializer_class(self) -> type[Any]:
        """That of what is sent, or of each one in the list."""
        return InboxActionSerializer if self.action == "mark" else InboxNotificationSerializer

    def list(self, request: Request, **kwargs: Any) -> Response:
        """One page, newest first, with the counts of the whole inbox."""
        page = self.paginator.read(request)
        return Response(describe_page(request.user, page)["results"])

    def mark(self, request: Request, **kwargs: Any) -> Response:
        """Mark some or all as read, or remove them; the counts from then on."""
        act(request.user, **self.check(request).validated_data)
        return Response(self.get_serializer(read_page(request.user, page_size=1)).data)

    def retrieve(self, request: Request, uid: str, **kwargs: Any) -> Response:
        """One notification. From now on it is read."""
        item = find_item(request.user, uid)
        # A HEAD is asked by programs, not by people.
        if not item.is_read and request.method == "GET":
            mark_read(request.user, [item.uid])
            item = read_again(item)
        return Response(self.get_serializer(item).data)

    def change(self, request: Request, uid: str, **kwargs: Any) -> Response:
        """Give one notification another status. Only what is ACTIVE stays in the inbox."""
        item = find_item(request.user, uid)
        set_status(request.user, item.uid, self.check(request, item).validated_data["status"])
        return Response(self.get_serializer(read_again(item)).data)

    def explain(self, refused: InboxRequestRefused) -> Exception:
        """404 for what is part of the address, 400 for the rest."""
        if refused.field == "notification_uids" and self.action != "mark":
            return NotFound(NOT_THERE)
        if refused.field == "page":
            return NotFound(str(refused))
        return super().explain(refused)


def act(user: Any, action_choice: str, notification_uids: Any = None) -> None:
    """Do what was asked for with this user's inbox; raises ``InboxRequestRefused`` before anything is done."""
    match InboxAction(action_choice):
        case InboxAction.MARK_AS_READ:
            mark_read(user, notification_uids)
        case InboxAction.MARK_AS_REMOVED:
            remove(user, notification_uids)
        case InboxAction.MARK_ALL_AS_READ:
            mark_all_read(user)
        case InboxAction.REMOVED_ALL:
            remove_all(user)


def read_again(item: InboxItem) -> InboxItem:
    """As it is after a change, from where that was written: a replica may not have it yet."""
    items = InboxItem.objects.using(router.db_for_write(InboxItem)).select_related("notice")
    if (changed := items.filter(pk=item.pk).first()) is None:
        raise NotFound(NOT_THERE)
    return changed


inbox = InboxViewSet.as_view({"get": "list", "patch": "mark"})
item = InboxViewSet.as_view({"get": "retrieve", "patch": "change"})
