"""Every text a task's page shows by itself, translatable, under a flat key.

The server formats its first paint from these and hands the same ones to the client, so that nothing jumps when the
client takes over. ``{name}`` placeholders are filled by both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.formats import get_format
from django.utils.functional import Promise
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

#: ``reporter.progress(unit=…)`` values that are shown as file sizes.
BYTE_UNITS = frozenset({"B", "byte", "bytes"})

TEXTS: Mapping[str, str | Promise] = {
    # status: one of these (see ``display._find_status``)
    "waiting": _("Waiting to start"),
    "running": _("Running"),
    "stalled": _("Not heard from for a while"),
    "lost": _("Not heard from for a long time. Its worker may be gone."),
    "cancelling": _("Cancelling…"),
    "retrying": _("Trying again soon"),
    "retrying_in": _("Trying again in {time}"),
    "succeeded": _("Done"),
    "failed": _("Failed"),
    "cancelled": _("Cancelled"),
    "ignored": _("Ended"),
    "unknown": _("The state is not known right now"),
    # reason, where the task gave none
    "failed_reason": _("Something went wrong."),
    # the numbers beside the bar
    "percent": _("{percent}%"),
    "count": _("{current} of {total}"),
    "rate": _("{rate}/s"),
    "rate_unit": _("{rate} {unit}/s"),
    "eta": _("about {time} left"),
    "elapsed": _("{time} so far"),
    "took": _("took {time}"),
    "stage": _("Step {index}: {name}"),
    "stage_of": _("Step {index} of {count}: {name}"),
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
    # the notice: how the page hears of changes
    "connecting": _("Connecting…"),
    "reconnecting": _("The connection was lost. Trying again…"),
    "polling": _("No live connection. Updating every few seconds."),
    "refused": _("This page may not follow the task any more. Reload it to try again."),
    "cancel_failed": _("That did not work. Please try again."),
}


def client_texts() -> dict[str, Any]:
    """All texts in the active language, with what the client needs to write numbers as the server does.

    Besides the keys of ``TEXTS``: ``locale`` (a BCP 47 tag), ``decimal_separator`` and ``thousand_separator``.
    """
    return {
        **{key: str(text) for key, text in TEXTS.items()},
        "locale": get_language() or "",
        "decimal_separator": str(get_format("DECIMAL_SEPARATOR")),
        "thousand_separator": str(get_format("THOUSAND_SEPARATOR")),
    }
