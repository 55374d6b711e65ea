"""Numbers, sizes, durations and times as a person reads them, in the active language and time zone.

The client writes them alike (``group``, ``formatBytes``, ``formatDuration``, ``formatTime`` there):

- numbers: integers in groups of three, others with one decimal; halves are rounded up.
- bytes: powers of 1024, below 1024 whole, else one decimal.
- durations: ``m:ss``, ``h:mm:ss``, from a day on ``{days} d h:mm:ss``; whole seconds, rounded down, never negative.
- times of day: ``HH:MM:SS``, everywhere: browsers and Django do not agree on how a language writes them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from django.utils import formats, numberformat, timezone
from django.utils.formats import get_format

from channels_progress.texts import write_text

_BYTE_STEPS = ("b", "kb", "mb", "gb", "tb", "pb")
_DAY_S = 86_400


def format_number(value: float) -> str:
    """``1,234`` or ``1,234.5``, with the separators of the active language."""
    return group(value, 0 if float(value).is_integer() else 1)


def format_bytes(size: float) -> str:
    """``812 B``, ``1.2 MB``: powers of 1024, as Django's ``filesizeformat``."""
    step = 0
    while size >= 1024 and step < len(_BYTE_STEPS) - 1:
        size /= 1024
        step += 1
    return write_text("bytes_" + _BYTE_STEPS[step], size=group(size, 1 if step else 0))


def format_duration(seconds: float) -> str:
    """``0:07``, ``12:30``, ``1:02:03``, ``2 d 0:00:05``."""
    days, rest = divmod(max(0, int(seconds)), _DAY_S)
    hours, minutes = divmod(rest // 60, 60)
    tail = f"{minutes:02}:{rest % 60:02}"
    if days:
        return write_text("days", days=days, time=f"{hours}:{tail}")
    return f"{hours}:{tail}" if hours else f"{minutes}:{rest % 60:02}"


def format_time(at: int) -> str:
    """``14:02:09`` in the current time zone, of UTC milliseconds."""
    return f"{datetime.fromtimestamp(at // 1000, timezone.get_current_timezone()):%H:%M:%S}"


def format_moment(at: int) -> str:
    """``2026-05-01T12:02:09.250Z`` of UTC milliseconds: what ``<time datetime>`` and JavaScript's ``Date`` write."""
    return f"{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{at % 1000:03}Z"


def describe_moment(at: int, now: int) -> dict[str, str]:
    """UTC milliseconds as ``<time>`` has them: for machines, in full, and short where it is of the day of ``now``."""
    moment, today = (datetime.fromtimestamp(ms // 1000, timezone.get_current_timezone()) for ms in (at, now))
    is_today = moment.date() == today.date()
    return {
        "datetime": format_moment(at),
        "text": formats.date_format(moment, "DATETIME_FORMAT"),
        "short": formats.date_format(moment, "TIME_FORMAT" if is_today else "SHORT_DATE_FORMAT"),
    }


def group(value: float, decimals: int) -> str:
    """``value`` with so many decimals, in groups of three."""
    # As JavaScript's toFixed does it; ``round`` would make 12 of 12.5.
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return numberformat.format(
        rounded,
        get_format("DECIMAL_SEPARATOR"),
        decimals,
        grouping=3,
        thousand_sep=get_format("THOUSAND_SEPARATOR"),
        force_grouping=True,
    )
