"""What all views of the API share."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from channels_progress.exceptions import InboxRequestRefused
from channels_progress.models import InboxItem


class IsActiveUser(BasePermission):
    """A user of this site, still active: not every authentication class asks, and some only read a token."""

    message = "Only active users of this site have an inbox."

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether whoever asks has an inbox."""
        return isinstance(request.user, get_user_model()) and bool(request.user.is_active)


class InboxApi(GenericViewSet):
    """For active users, never cached; what is refused is answered with the reason."""

    permission_classes = (IsActiveUser,)
    pagination_class: Any = None
    filter_backends = ()

    def get_queryset(self) -> Any:
        """Nothing: schema generators ask of which model, pages for developers what can be filtered."""
        return InboxItem.objects.none()

    def check(self, request: Request, *instance: Any) -> Any:
        """The serializer of what was sent, found right; raises ``ValidationError`` or ``ParseError``."""
        try:
            data = request.data
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None
        serializer = self.get_serializer(*instance, data=data)
        serializer.is_valid(raise_exception=True)
        return serializer

    def handle_exception(self, exc: Exception) -> Response:
        """The answer to what was refused."""
        if isinstance(exc, InboxRequestRefused):
            exc = self.explain(exc)
        return super().handle_exception(exc)

    def explain(self, refused: InboxRequestRefused) -> Exception:
        """As REST framework says it."""
        return ValidationError({refused.field: [refused.reason]})

    def finalize_response(self, *args: Any, **kwargs: Any) -> Response:
        """The answer, for nobody to keep."""
        response = super().finalize_response(*args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response
