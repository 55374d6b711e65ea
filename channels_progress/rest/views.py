"""The inbox of whoever asks: listed, read and marked. Whatever is somebody else's is not there."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db import router
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from channels_progress.exceptions import InboxRequestRefused
from channels_progress.models import InboxItem
from channels_progress.notifications.marks import mark_all_read, mark_read, remove, remove_all, set_status
from channels_progress.notifications.pages import InboxPage, find_item, read_page
from channels_progress.notifications.shapes import describe_page
from channels_progress.rest.pagination import InboxPagination
from channels_progress.rest.serializers import ActionSerializer, InboxAction, ItemSerializer

NOT_THERE = "There is no such notification in this inbox."


class IsActiveUser(BasePermission):
    """A user of this site, still active: not every authentication class asks, and some only read a token."""

    message = "Only active users of this site have an inbox."

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether whoever asks has an inbox."""
        return isinstance(request.user, get_user_model()) and bool(request.user.is_active)


class InboxViewMixin:
    """Never cached, for active users only, and 4xx with the reason for what is refused.

    Attributes:
        absent: The field that is part of the address: a wrong one is 404, any other 400.
    """

    permission_classes = (IsActiveUser,)
    filter_backends = ()
    absent = ""

    def handle_exception(self, exc: Exception) -> Response:
        """The answer to what was refused."""
        if isinstance(exc, InboxRequestRefused):
            exc = self.explain(exc)
        return super().handle_exception(exc)  # type: ignore[misc]

    def explain(self, refused: InboxRequestRefused) -> Exception:
        """The same as REST framework has it."""
        if refused.field == self.absent:
            return NotFound(str(refused))
        return ValidationError({refused.field: [refused.reason]})

    def finalize_response(self, *args: Any, **kwargs: Any) -> Response:
        """The answer, for nobody to keep."""
        response = super().finalize_response(*args, **kwargs)  # type: ignore[misc]
        response["Cache-Control"] = "no-store"
        return response


class InboxView(InboxViewMixin, ListAPIView):
    """The notifications of whoever asks, newest first, and what can be done with many of them at once."""

    pagination_class = InboxPagination
    absent = "page"

    def get_serializer_class(self) -> type[Any]:
        """That of what is sent, or of each one in the list."""
        return ActionSerializer if self.request.method == "PATCH" else ItemSerializer

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One page, with the counts of the whole inbox."""
        page = self.paginator.read(request)
        return Response(describe_page(request.user, page)["results"])

    def patch(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Mark or remove some, or all."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        act(request.user, **serializer.validated_data)
        return Response(count(read_page(request.user, page_size=1)))


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


def count(page: InboxPage) -> dict[str, int]:
    """What a list answers besides its rows."""
    return {
        "total_notifications": page.total,
        "read_notifications": page.read,
        "unread_notifications": page.unread,
    }


class ItemView(InboxViewMixin, GenericAPIView):
    """One notification of whoever asks."""

    serializer_class = ItemSerializer

    def get(self, request: Request, uid: str) -> Response:
        """What it says; from now on it is read."""
        item = self.find(uid)
        # A HEAD is asked by programs, not by people.
        if item.read_at is None and request.method == "GET":
            mark_read(request.user, [item.uid])
            item = read_again(item)
        return Response(self.get_serializer(item).data)

    def patch(self, request: Request, uid: str) -> Response:
        """Give it another status. Only what is ACTIVE stays in the inbox."""
        item = self.find(uid)
        serializer = self.get_serializer(item, data=request.data)
        serializer.is_valid(raise_exception=True)
        set_status(request.user, item.uid, serializer.validated_data["status"])
        return Response(self.get_serializer(read_again(item)).data)

    def find(self, uid: str) -> InboxItem:
        """The notification; 404, in the same words, where it is not in the inbox, or no uid at all."""
        return find_item(self.request.user, uid)

    def explain(self, refused: InboxRequestRefused) -> Exception:
        """It was removed meanwhile, or was never there."""
        return NotFound(NOT_THERE) if refused.field == "notification_uids" else super().explain(refused)


def read_again(item: InboxItem) -> InboxItem:
    """As it is after a change, from where that was written: a replica may not have it yet."""
    items = InboxItem.objects.using(router.db_for_write(InboxItem)).select_related("notice")
    if (changed := items.filter(pk=item.pk).first()) is None:
        raise NotFound(NOT_THERE)
    return changed
