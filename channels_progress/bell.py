"""A person's notifications, as their pages show them: the plain functions behind the bell and the inbox page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_progress.addresses import leads_only_to
from channels_progress.conf import get_settings
from channels_progress.events import encode_json
from channels_progress.exceptions import InboxRequestRefused
from channels_progress.formats import describe_moment, format_number
from channels_progress.models import InboxItem, Notice
from channels_progress.notifications.pages import InboxPage, read_page
from channels_progress.pages import address_page
from channels_progress.texts import TEXTS, write_text
from channels_progress.viewers import get_request_viewer

__all__ = ["bell_context", "inbox_context"]

#: Rows behind the bell, unless the tag says otherwise, and at most.
DEFAULT_LIMIT = 10
MAX_LIMIT = 50
#: The badge says no more than this.
BADGE_MAX = 99

# Of the API: what ``is_read`` is there.
_FILTERS: Mapping[str, str | Promise] = {"": _("All"), "false": _("Unread"), "true": _("Read")}
# What nobody needs to be told in words.
_PLAIN_LEVELS = frozenset({"debug", "info"})


def bell_context(request: HttpRequest, *, limit: int = DEFAULT_LIMIT) -> dict[str, Any]:
    """The newest notifications of whoever sent ``request``, as JSON-ready values. Two queries.

    Args:
        limit: How many at most, 1 to 50, and no more than ``INBOX_PAGE_SIZE_MAX``.

    Returns:
        The context of ``channels_progress/notification_bell.html``; ``docs/pages.md`` names its keys. Empty for
        somebody without login: nothing is read for them.

    Raises:
        ValueError: ``limit`` is not 1 to 50.
    """
    if not isinstance(limit, int) or limit not in range(1, MAX_LIMIT + 1):
        raise ValueError(f"limit is {limit!r}; 1 to {MAX_LIMIT} is expected.")
    user = find_inbox_user(request)
    if user is None:
        return {}
    page = read_page(user, page_size=min(limit, get_settings().INBOX_PAGE_SIZE_MAX))
    return {**_frame_inbox(request, page), "rows_url": _rows_url({"limit": limit})}


def inbox_context(request: HttpRequest, *, is_read: str = "", page: str | None = None) -> dict[str, Any]:
    """One page of the inbox of whoever sent ``request``, who is logged in.

    Args:
        is_read: ``true``, ``false``, or an empty string for all.
        page: From 1; a number past the end is the last one, as a list gets shorter while somebody reads it.

    Raises:
        InboxRequestRefused: It is none of these.
    """
    shown = _read_nearest(request.user, page=page, is_read=is_read)
    current = is_read.lower()
    counts = {"": shown.total, "false": shown.unread, "true": shown.read}
    return {
        **_frame_inbox(request, shown),
        "rows_url": _rows_url({"view": "page", "is_read": current, "page": shown.page}),
        "is_read": current,
        "filters": [
            {"label": str(label), "url": _page_url(name), "count": counts[name], "is_current": name == current}
            for name, label in _FILTERS.items()
        ],
        "page": {
            "number": shown.page,
            "pages": shown.total_pages,
            "newer_url": _page_url(current, shown.page - 1) if shown.page > 1 else "",
            "older_url": _page_url(current, shown.page + 1) if shown.page < shown.total_pages else "",
        },
    }


def find_inbox_user(request: HttpRequest) -> Any:
    """Whose inbox a page of this request may show; None for nobody's."""
    viewer = get_request_viewer(request)
    return viewer.user if viewer.is_authenticated and not viewer.is_locked_out else None


def find_destination(notice: Notice) -> str:
    """Where the notice leads, if a page may be led there; the settings may have changed since it was said."""
    return notice.url if notice.url and leads_only_to(notice.url, set(get_settings().ALLOWED_REDIRECT_HOSTS)) else ""


def _read_nearest(user: Any, *, page: str | None, is_read: str) -> InboxPage:
    try:
        return read_page(user, page=page, is_read=is_read)
    except InboxRequestRefused as refusal:
        is_past_the_end = refusal.field == "page" and page is not None and page.strip("0").isdecimal()
        if not is_past_the_end:
            raise
    return read_page(user, page=read_page(user, is_read=is_read).total_pages, is_read=is_read)


def _frame_inbox(request: HttpRequest, page: InboxPage) -> dict[str, Any]:
    """What the bell and the page have in common."""
    now = int(timezone.now().timestamp() * 1000)
    counts = {"total": page.total, "read": page.read, "unread": page.unread}
    address = address_page(request)
    return {
        "items": [_show_item(item, now) for item in page.items],
        "counts": counts,
        "counts_json": encode_json(counts),
        "badge": f"{BADGE_MAX}+" if page.unread > BADGE_MAX else str(page.unread or ""),
        "badge_text": write_text("unread", number=format_number(page.unread)) if page.unread else "",
        "inbox_url": reverse("channels_progress:inbox"),
        "socket_url": address["socket_url"],
        "return_url": address["return_url"],
        "csrf_token": get_token(request),
    }


def _show_item(item: InboxItem, now: int) -> dict[str, Any]:
    notice, is_read = item.notice, item.is_read
    url = find_destination(notice)
    return {
        "uid": str(item.uid),
        "text": notice.text,
        "level": notice.level,
        "label": "" if notice.level in _PLAIN_LEVELS else str(TEXTS.get(f"level_{notice.level}", "")),
        "kind": notice.kind,
        "action": notice.action,
        "is_read": is_read,
        # Through the view that marks it as read; once it is, there is nothing left to mark.
        "url": url if is_read or not url else reverse("channels_progress:inbox-item", args=[item.uid]),
        "at": describe_moment(int(item.created_at.timestamp() * 1000), now),
    }


def _rows_url(query: Mapping[str, Any]) -> str:
    return f"{reverse('channels_progress:inbox-rows')}?{urlencode({k: v for k, v in query.items() if v != ''})}"


def _page_url(is_read: str, page: int = 1) -> str:
    query = {**({"is_read": is_read} if is_read else {}), **({"page": page} if page > 1 else {})}
    return reverse("channels_progress:inbox") + (f"?{urlencode(query)}" if query else "")
