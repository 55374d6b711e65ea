"""Every setting and argument of the packages people come from is in the tables, and leads to what there is here."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields

import pytest

from channels_progress.conf import Settings
from channels_progress.notifications import notify
from tests.tooling import ROOT

PAGE = (ROOT / "docs/coming-from.md").read_text()
ROWS = re.findall(r"^\| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)
#: As their sources have them.
DJANGO_NOTIFICATIONS_WEBSOCKET = {
    "settings": (
        "NOTIFICATION_USER_SERIALIZER", "NOTIFICATION_USER_SELECT_RELATED_FIELDS",
        "NOTIFICATION_USER_PREFETCH_RELATED_FIELDS", "ALLOWED_NOTIFICATION_DATA",
    ),
    "arguments": ("requested_user", "message", "instance", "method", "user_list", "serializer"),
    "methods": (
        "create_notification", "get_requested_user_notifications", "get_model_notifications",
        "get_active_notifications", "get_current_user_notifications", "get_current_user_read_notifications",
        "get_current_user_unread_notifications", "create_notification_for_users", "is_user_enable_notification",
    ),
    "others": ("custom_info", "changed_data", "bulk_post_save", "init_notification_settings",
               "DRFCurrentUserMiddleware", "is_enable_notification", "websocket_urlpatterns", "JWTAuthMiddleware"),
}  # fmt: skip
DJANGO_NOTIFS = {
    "settings": (
        "NOTIFICATIONS_DELIVERY_BACKEND", "NOTIFICATIONS_QUEUE_NAME", "NOTIFICATIONS_RETRY",
        "NOTIFICATIONS_RETRY_INTERVAL", "NOTIFICATIONS_MAX_RETRIES", "NOTIFICATIONS_CHANNELS", "NOTIFICATIONS_MODEL",
        "NOTIFICATIONS_WEBSOCKET_EVENT_NAME", "NOTIFICATIONS_WEBSOCKET_URL_PARAM", "NOTIFICATIONS_FCM_WEB_KEY",
        "NOTIFICATIONS_PUSHER_CHANNELS_URL", "NOTIFICATIONS_SQS_QUEUE_URL", "NOTIFICATIONS_SLACK_BOT_TOKEN",
    ),
    "arguments": (
        "recipient", "source", "source_display_name", "action", "category", "obj", "object_id", "content_type", "url",
        "short_description", "channels", "extra_data", "silent", "countdown", "is_read",
    ),
    "others": ("read", "all_read", "all_unread", "to_json", "NotificationError", "DjangoNotifsWebsocketConsumer"),
    "providers": ("django_channels", "console", "email", "slack", "django_sms", "fcm_web", "pusher_channels"),
    "backends": ("Synchronous", "Celery", "RQ", "Channels", "AwsSqsLambda"),
}  # fmt: skip
NAMES = {
    name for package in (DJANGO_NOTIFICATIONS_WEBSOCKET, DJANGO_NOTIFS) for names in package.values() for name in names
}

pytestmark = pytest.mark.same_everywhere


def test_everything_of_theirs_is_in_a_table() -> None:
    left = " ".join(re.sub(r"[^\w`]", " ", there) for there, _ in ROWS)
    assert sorted(name for name in NAMES if not re.search(rf"\b{name}\b", left)) == []


def test_every_row_leads_somewhere() -> None:
    assert len(ROWS) > len(NAMES) // 2
    assert [there for there, here in ROWS if not here.strip()] == []


def test_settings_and_arguments_of_ours_exist() -> None:
    right = " ".join(here for _, here in ROWS)
    settings = set(re.findall(r"\b(?:INBOX|DELIVER)[A-Z_]+\b", right))
    arguments = set(re.findall(r"`(\w+)=", right))
    known = {*inspect.signature(notify).parameters, "is_read"}
    assert settings
    assert settings - {field.name for field in fields(Settings)} == set()
    assert arguments
    assert arguments - known == set()
