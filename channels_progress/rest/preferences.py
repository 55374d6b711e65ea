"""What whoever asks wants to be notified of: looked at and changed."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from channels_progress.notifications.preferences import get_preferences, set_preference
from channels_progress.rest.base import InboxApi
from channels_progress.rest.schema import InboxSchema
from channels_progress.rest.serializers import InboxPreferenceSerializer

#: Kinds are whatever somebody names, and each is a row.
MAX_PREFERENCES = 1_000


class InboxPreferencesViewSet(InboxApi):
    """What whoever asks wants. A no wins: over everything, one delivery, one kind, or one delivery of one kind."""

    serializer_class = InboxPreferenceSerializer
    schema = InboxSchema("inbox_preferences")

    def list(self, request: Request, **kwargs: Any) -> Response:
        """What was chosen; whatever is not in the list is wanted."""
        chosen = get_preferences(request.user)
        rows = [
            {"delivery": delivery, "kind": kind, "is_enabled": is_enabled}
            for (delivery, kind), is_enabled in chosen.items()
        ]
        return Response(self.get_serializer(rows, many=True).data)

    def change(self, request: Request, **kwargs: Any) -> Response:
        """Choose one of them."""
        serializer = self.check(request)
        chosen = serializer.validated_data
        known = get_preferences(request.user)
        if (chosen["delivery"], chosen["kind"]) not in known and len(known) >= MAX_PREFERENCES:
            raise ValidationError({"kind": [f"At most {MAX_PREFERENCES} can be chosen."]})
        set_preference(request.user, chosen["is_enabled"], delivery=chosen["delivery"], kind=chosen["kind"])
        return Response(serializer.data)


preferences = InboxPreferencesViewSet.as_view({"get": "list", "patch": "change"})
