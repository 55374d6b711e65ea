"""A staff member's page watches a task: the live element and its token.

Outside the admin the permission ``view_task`` does not count: on the site itself a developer who is a superuser sees
what its users see. So the tokens made here are renewed by the admin alone, as long as the permission lasts, are short
lived, and carry no right to cancel: that request goes to the admin, too, which asks for the permission and logs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.middleware.csrf import get_token

from channels_progress.events import TASK_CHANNEL_PREFIX, task_channel
from channels_progress.pages import task_context
from channels_progress.tokens import issue_subscription_token, read_expired_token
from channels_progress.viewers import get_request_viewer

#: Seconds for which a token opens subscriptions without another look at the permission.
TOKEN_TTL_S = 900


@dataclass(frozen=True, slots=True)
class _Handle:
    """A view's permission to watch, as ``task_context`` takes it."""

    id: str
    # Asked for only where the record is gone.
    state: str = "PENDING"


def make_element(
    uid: str, request: HttpRequest, *, can_cancel: bool, cancel_url: str, token_url: str
) -> dict[str, Any]:
    """The context of ``channels_progress/_progress.html`` for staff whose permission to watch has been checked.

    Args:
        uid: The task's id.
        request: The staff member's.
        can_cancel: Whether they may end the task: shows a button, and a field for the reason.
        cancel_url: Where the button posts to.
        token_url: Where the token is renewed.
    """
    context = task_context(_Handle(uid), request, cancel=False, redirect=False) or {}
    may_end = can_cancel and not context["ended"]
    return {
        **context,
        "token": issue_token([uid], request),
        "token_url": token_url,
        "cancel_url": cancel_url,
        "can_cancel": may_end,
        "asks_reason": True,
        "csrf_token": get_token(request) if may_end else "",
        "return_url": "",
    }


def issue_token(uids: Iterable[str], request: HttpRequest) -> str:
    """A token to watch these tasks; empty for who has no login, as an admin site of one's own may let them be."""
    viewer = get_request_viewer(request)
    if not viewer.owner_key:
        return ""
    return issue_subscription_token(viewer, [task_channel(uid) for uid in uids], ttl=TOKEN_TTL_S)


def read_watched(token: str, request: HttpRequest) -> list[str]:
    """The tasks of a token of this viewer's, expired or not.

    Raises:
        TokenRefused: It is not theirs, or none at all.
    """
    channels = read_expired_token(token, get_request_viewer(request)).channels
    return [name.removeprefix(TASK_CHANNEL_PREFIX) for name in channels if name.startswith(TASK_CHANNEL_PREFIX)]
