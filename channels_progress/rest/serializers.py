"""What requests and answers consist of: checks the former, and describes both to schema generators.

The answers themselves are made by :mod:`channels_progress.notifications.shapes`, which the socket answers with, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import TextChoices
from django.utils.module_loading import import_string
from rest_framework import serializers

from channels_progress.conf import get_settings
from channels_progress.inbox_tables import ItemStatus
from channels_progress.models import InboxItem
from channels_progress.notifications.notices import clean_kind
from channels_progress.notifications.preferences import ALL, clean_delivery
from channels_progress.notifications.shapes import describe_items
from channels_progress.rest.pagination import COUNTS

__all__ = ["UserSerializer"]

#: As many as ten of the largest pages have by default.
MAX_UIDS = 1_000

_NAMES = tuple(name for name in ("first_name", "last_name", "email") if hasattr(get_user_model(), name))


def tell_known(choices: type[TextChoices]) -> dict[str, str]:
    """What is said of a wrong choice: what is right. REST framework repeats what came, which may be no JSON."""
    return {"invalid_choice": f"One of {', '.join(choices.values)} is expected."}


class UserSerializer(serializers.ModelSerializer):
    """People as django-notifications-websocket shows them, e-mail address included: for ``INBOX_USER_SERIALIZER``.

    What the user model does not have is left out.
    """

    id = serializers.JSONField(source="pk", read_only=True)

    class Meta:
        model = get_user_model()
        fields = ("id", *_NAMES)
        read_only_fields = fields


class InboxPersonSerializer(serializers.Serializer):
    """People as they are shown where no ``INBOX_USER_SERIALIZER`` is named."""

    id = serializers.JSONField(read_only=True)
    name = serializers.CharField(read_only=True)
    first_name = serializers.CharField(read_only=True, required=False)
    last_name = serializers.CharField(read_only=True, required=False)


class InboxContentSerializer(serializers.Serializer):
    """What was said, and about what."""

    message = serializers.CharField(read_only=True)
    model = serializers.CharField(read_only=True, help_text="The name of the model, or an empty string.")
    instance = serializers.DictField(read_only=True, help_text="The fields of the object, as they were.")
    method = serializers.CharField(read_only=True, help_text="What was done, or UNDEFINED.")
    changed_data = serializers.DictField(read_only=True, help_text='Fields with their "original" and "new" values.')
    level = serializers.CharField(read_only=True)
    kind = serializers.CharField(read_only=True)
    url = serializers.CharField(read_only=True, allow_null=True)


class InboxNotificationSerializer(serializers.Serializer):
    """One notification in somebody's inbox. Only its ``status`` can be changed."""

    id = serializers.IntegerField(read_only=True)
    uid = serializers.UUIDField(read_only=True)
    notification = InboxContentSerializer(read_only=True)
    is_read = serializers.BooleanField(read_only=True)
    custom_info = serializers.JSONField(read_only=True, allow_null=True)
    status = serializers.ChoiceField(
        ItemStatus.choices, help_text="What is not ACTIVE leaves the inbox.", error_messages=tell_known(ItemStatus)
    )
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)

    def get_fields(self) -> dict[str, Any]:
        """With people as the settings in force show them."""
        return {**super().get_fields(), "user": make_person_field(), "created_by": make_person_field()}

    def to_representation(self, instance: InboxItem) -> dict[str, Any]:
        """As the list has it."""
        [described] = describe_items(self.context["request"].user, [instance])
        return described


def make_person_field() -> serializers.Field:
    """The field for a person: null where there is none, or none any more."""
    path = get_settings().INBOX_USER_SERIALIZER
    shown = import_string(path) if path else InboxPersonSerializer
    if isinstance(shown, type) and issubclass(shown, serializers.BaseSerializer):
        return shown(read_only=True, allow_null=True)
    return serializers.JSONField(read_only=True, allow_null=True)


class InboxAction(TextChoices):
    """What can be done with many at once, in the words of the reference."""

    MARK_AS_READ = "MARK_AS_READ"
    MARK_AS_REMOVED = "MARK_AS_REMOVED"
    MARK_ALL_AS_READ = "MARK_ALL_AS_READ"
    REMOVED_ALL = "REMOVED_ALL"
    UNDEFINED = "UNDEFINED"


class InboxActionSerializer(serializers.Serializer):
    """Something done with many notifications; answered with the counts from then on."""

    action_choice = serializers.ChoiceField(
        InboxAction.choices, write_only=True, help_text="Required. UNDEFINED changes nothing.",
        error_messages=tell_known(InboxAction),
    )  # fmt: skip
    notification_uids = serializers.ListField(
        child=serializers.UUIDField(), max_length=MAX_UIDS, required=False, allow_null=True, write_only=True,
        help_text="Required for MARK_AS_READ and MARK_AS_REMOVED, and ignored otherwise.",
    )  # fmt: skip

    def get_fields(self) -> dict[str, Any]:
        """With the counts."""
        counts = {
            f"{name}_notifications": serializers.IntegerField(source=name, read_only=True, min_value=0, help_text=text)
            for name, text in COUNTS.items()
        }
        return {**super().get_fields(), **counts}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Whether what the action needs is there."""
        needs_uids = attrs["action_choice"] in (InboxAction.MARK_AS_READ, InboxAction.MARK_AS_REMOVED)
        if needs_uids and not attrs.get("notification_uids"):
            raise serializers.ValidationError({"notification_uids": [f"{attrs['action_choice']} needs some."]})
        return attrs


class InboxPreferenceSerializer(serializers.Serializer):
    """Whether somebody wants something. An empty string stands for all deliveries, or all kinds."""

    delivery = serializers.CharField(allow_blank=True, default=ALL, help_text="A delivery, or all, the inbox included.")
    kind = serializers.CharField(allow_blank=True, default=ALL, help_text="A kind of notifications, or all.")
    is_enabled = serializers.BooleanField()

    def validate_delivery(self, value: str) -> str:
        """Whether there is such a delivery."""
        return _clean(clean_delivery, value)

    def validate_kind(self, value: str) -> str:
        """Whether there can be such a kind."""
        return _clean(clean_kind, value)


def _clean(clean: Callable[[str], str], value: str) -> str:
    try:
        return clean(value)
    except ValueError as error:
        raise serializers.ValidationError(str(error)) from error
