"""Live progress of Celery tasks on Django pages, messages to any audience of a site, and notifications that stay.

Importing this package loads neither Celery nor models; each public name comes on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from channels_progress.audiences import (
        convert_obj_to_channel_name,
        get_channel_name_for_user,
        get_obj_from_channel_name,
    )
    from channels_progress.broadcasts import (
        aprogress_channel,
        aprogress_object,
        aprogress_user,
        aredirect_channel,
        aredirect_object,
        aredirect_user,
        asend_html_to_all,
        asend_html_to_anonymous,
        asend_html_to_authenticated,
        asend_html_to_channel,
        asend_html_to_object,
        asend_html_to_user,
        asend_to_all,
        asend_to_anonymous,
        asend_to_authenticated,
        asend_to_channel,
        asend_to_object,
        asend_to_user,
        progress_channel,
        progress_object,
        progress_user,
        redirect_channel,
        redirect_object,
        redirect_user,
        send_html_to_all,
        send_html_to_anonymous,
        send_html_to_authenticated,
        send_html_to_channel,
        send_html_to_object,
        send_html_to_user,
        send_to_all,
        send_to_anonymous,
        send_to_authenticated,
        send_to_channel,
        send_to_object,
        send_to_user,
    )
    from channels_progress.mixins import ChannelSubscriberMixin, ChannelSubscriberSingleObjectMixin
    from channels_progress.notifications import NotificationService, anotify, notify
    from channels_progress.page_ids import get_page_id
    from channels_progress.tasks import TaskReporter, broadcast_task
    from channels_progress.tokens import issue_subscription_token, verify_subscription_token

__version__ = "0.1.0"
__all__ = [
    "ChannelSubscriberMixin",
    "ChannelSubscriberSingleObjectMixin",
    "NotificationService",
    "TaskReporter",
    "__version__",
    "anotify",
    "aprogress_channel",
    "aprogress_object",
    "aprogress_user",
    "aredirect_channel",
    "aredirect_object",
    "aredirect_user",
    "asend_html_to_all",
    "asend_html_to_anonymous",
    "asend_html_to_authenticated",
    "asend_html_to_channel",
    "asend_html_to_object",
    "asend_html_to_user",
    "asend_to_all",
    "asend_to_anonymous",
    "asend_to_authenticated",
    "asend_to_channel",
    "asend_to_object",
    "asend_to_user",
    "broadcast_task",
    "convert_obj_to_channel_name",
    "get_channel_name_for_user",
    "get_obj_from_channel_name",
    "get_page_id",
    "issue_subscription_token",
    "notify",
    "progress_channel",
    "progress_object",
    "progress_user",
    "redirect_channel",
    "redirect_object",
    "redirect_user",
    "send_html_to_all",
    "send_html_to_anonymous",
    "send_html_to_authenticated",
    "send_html_to_channel",
    "send_html_to_object",
    "send_html_to_user",
    "send_to_all",
    "send_to_anonymous",
    "send_to_authenticated",
    "send_to_channel",
    "send_to_object",
    "send_to_user",
    "verify_subscription_token",
]

_MODULES = {
    "ChannelSubscriberMixin": "mixins",
    "ChannelSubscriberSingleObjectMixin": "mixins",
    "NotificationService": "notifications",
    "TaskReporter": "tasks",
    "anotify": "notifications",
    "broadcast_task": "tasks",
    "convert_obj_to_channel_name": "audiences",
    "get_channel_name_for_user": "audiences",
    "get_obj_from_channel_name": "audiences",
    "get_page_id": "page_ids",
    "issue_subscription_token": "tokens",
    "notify": "notifications",
    "verify_subscription_token": "tokens",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'broadcasts')}"), name)
