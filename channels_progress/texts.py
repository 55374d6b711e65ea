"""Every text a task's page shows by itself, translatable, under a flat key.

The server formats its first paint from these and hands the same ones to the client, so that nothing jumps when the
client takes over. ``{name}`` placeholders are filled by both sides.

No text here must agree with its number: they say "Errors: 3" and "Attempt 2", so that neither side needs plural rules.
What is counted (``units.py``) comes from the worker in the form that its number needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from django.utils import timezone
from django.utils.formats import get_format
from django.utils.functional import Promise
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

TEXTS: Mapping[str, str | Promise] = {
    # status: one of these (see ``display._find_status``)
    "waiting": _("Waiting to start"),
    "starting_in": _("Starting in {time}"),
    "running": _("Running"),
    "stalled": _("Not responding"),
    "lost": _("Contact lost"),
    "cancelling": _("Cancelling…"),
    "retrying": _("Trying again soon"),
    "retrying_in": _("Trying again in {time}"),
    "succeeded": _("Done"),
    "failed": _("Failed"),
    "cancelled": _("Cancelled"),
    "ignored": _("Ended"),
    "unknown": _("The state is not known right now"),
    # hint: what a status means (see ``display._find_hint``)
    "waiting_hint": _("No worker has taken it yet."),
    "stalled_hint": _("Nothing has been heard from its worker for a while. This page goes on watching."),
    "lost_hint": _(
        "Nothing has been heard from its worker for a long time; it may be gone. This page goes on watching."
    ),
    "cancelling_hint": _("The task stops when it next reports."),
    # reason, where the task gave none
    "failed_reason": _("Something went wrong."),
    # the numbers beside the bar
    "percent": _("{percent}%"),
    # Translators: the unit may follow, in the form that a count of {total} needs by itself.
    "count": _("{current} of {total}"),
    "counted": pgettext_lazy("a count with its unit: 12 of 30 rows", "{count} {unit}"),
    "rate": _("{rate}/s"),
    "rate_unit": _("{rate} {unit}/s"),
    "eta": _("about {time} left"),
    "elapsed": _("{time} so far"),
    "took": _("took {time}"),
    "attempt": _("Attempt {number}"),
    "stage": _("Step {index}: {name}"),
    "stage_of": _("Step {index} of {count}: {name}"),
    "stage_percent": pgettext_lazy("a stage and how much is done", "{stage}, {percent}"),
    "days": pgettext_lazy("a duration: days, then hours:minutes:seconds", "{days} d {time}"),
    "bytes_b": _("{size} B"),
    "bytes_kb": _("{size} KB"),
    "bytes_mb": _("{size} MB"),
    "bytes_gb": _("{size} GB"),
    "bytes_tb": _("{size} TB"),
    "bytes_pb": _("{size} PB"),
    # things to press
    "cancel": pgettext_lazy("stop a running task", "Cancel"),
    "continue": _("Continue"),
    # where the task has no title
    "task": _("Task"),
    # the log of messages
    "messages": _("Messages"),
    "messages_missing": _("Older messages are no longer available."),
    "level_debug": _("Detail:"),
    "level_info": _("Note:"),
    "level_success": _("Success:"),
    "level_warning": _("Warning:"),
    "level_error": _("Error:"),
    # what is broadcast to a page
    "close": pgettext_lazy("take a message off the page", "Close"),
    "close_all": pgettext_lazy("take all messages off the page", "Close all"),
    "older_messages": _("Older messages: {number}"),
    "newest_messages": _("Only the newest messages"),
    "more_messages": _("More messages: {number}"),
    "progress": _("Progress"),
    # what a screen reader says now and then
    "announcement": pgettext_lazy("the title of a task and what is new", "{title}: {news}"),
    "warnings": _("Warnings: {number}"),
    "errors": _("Errors: {number}"),
    # the notice: how the page hears of changes
    "connecting": _("Connecting…"),
    "reconnecting": _("The connection was lost. Trying again…"),
    "polling": _("No live connection. Updating every few seconds."),
    "refused": _("This page may not follow the task any more. Reload it to try again."),
    "cancel_failed": _("That did not work. Please try again."),
    # the bell, for ears
    "unread": _("Unread: {number}"),
}


def write_text(key: str, **values: Any) -> str:
    """The text in the active language, its placeholders filled."""
    # Not str.format: a translator's slip in braces must not break the page, and the client replaces just so.
    text = str(TEXTS[key])
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def client_texts() -> dict[str, Any]:
    """All texts in the active language, with what the client needs to write numbers and times as the server does.

    Besides the keys of ``TEXTS``: ``locale`` (a BCP 47 tag), ``decimal_separator`` and ``thousand_separator``;
    ``time_zone`` (IANA name of the current one, empty where it has none), and ``utc_offset_s`` (seconds, as text) for
    browsers that do not know the zone.
    """
    return {
        **{key: str(text) for key, text in TEXTS.items()},
        "locale": get_language() or "",
        "decimal_separator": str(get_format("DECIMAL_SEPARATOR")),
        "thousand_separator": str(get_format("THOUSAND_SEPARATOR")),
        "time_zone": get_zone_name(),
        "utc_offset_s": str(int(_get_utc_offset().total_seconds())),
    }


def get_zone_name() -> str:
    """IANA name of the current time zone; empty for one without a name (a fixed offset)."""
    zone: tzinfo = timezone.get_current_timezone()
    return "UTC" if zone is UTC else getattr(zone, "key", "")


def _get_utc_offset() -> timedelta:
    return datetime.now(timezone.get_current_timezone()).utcoffset() or timedelta()
