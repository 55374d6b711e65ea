"""What is broadcast: a message, a redirect, a progress report, or HTML. Cleaned dicts, ready to become frames.

Their field names are those of the wire format that django-channels-broadcast has published, so that a client written
for it understands ours.
"""

from __future__ import annotations

import math
from decimal import Decimal
from numbers import Real
from typing import Any

from channels_progress.addresses import clean_url
from channels_progress.conf import get_settings
from channels_progress.events import FRAME_VERSION, encode_json
from channels_progress.values import UNSAFE, clean_level, clean_text, shorten

Event = dict[str, Any]

HTML_MAX_CHARS = 100_000

#: What the close control of a message is labelled with where a page's own template asks for it.
CLOSE_TEXT = "×"


def message_event(
    text: Any, *, level: Any = "info", click_url: Any = None, close_url: Any = None, hide_close_option: bool = False
) -> Event:
    """A message for people to read.

    Args:
        text: Cut to ``MESSAGE_MAX_CHARS``; a lazy translation is resolved in the language active now.
        level: A constant of ``django.contrib.messages`` or its name.
        click_url: Where a click on it leads.
        close_url: Told, by a POST, once somebody has closed it.
        hide_close_option: It cannot be closed.

    Raises:
        TypeError: The text or a URL is not a string.
        ValueError: An unknown level; a URL that leads elsewhere (``addresses.clean_url``).
    """
    return {
        "type": "message",
        "text": clean_text(text, "text", get_settings().MESSAGE_MAX_CHARS),
        "cssClass": clean_level(level),
        "clickURL": None if click_url is None else clean_url(click_url, "click_url"),
        "closeURL": None if close_url is None else clean_url(close_url, "close_url"),
        "hideCloseOption": bool(hide_close_option),
        "closeText": CLOSE_TEXT,
    }


def redirect_event(url: Any) -> Event:
    """Leads pages elsewhere. Raises as ``addresses.clean_url`` does."""
    return {"type": "redirect", "url": clean_url(url)}


def progress_event(percent: Any) -> Event:
    """How far something is.

    Args:
        percent: A number or a text of one, with or without ``%``; clamped to 0..100, kept to two decimals.

    Raises:
        TypeError: It is neither.
        ValueError: The text is no number, or it is NaN.
    """
    return {"type": "progress", "progress": True, "percent": f"{_clean_percent(percent):.4g}%"}


def html_event(html: Any) -> Event:
    """HTML for pages to swap in, made by Django's templates, which have escaped it.

    Raises:
        TypeError: It is not a string.
        ValueError: It is longer than ``HTML_MAX_CHARS``.
    """
    if not isinstance(html, str):
        raise TypeError(f"html is {type(html).__name__}; a string is expected.")
    if len(html) > HTML_MAX_CHARS:
        raise ValueError(f"The HTML has {len(html)} characters; no more than {HTML_MAX_CHARS} are sent.")
    return {"type": "html", "html": UNSAFE.sub("\ufffd", html)}


def event_text(event: Event, channel: str, notification_id: int = 0) -> str:
    """The frame, encoded once for all who get it; ``notification_id`` is that of a stored one.

    Without a channel its name is left out, to be put at the end.
    """
    named = {"channel": channel} if channel else {}
    stored = {"id": notification_id} if notification_id else {}
    return encode_json({"type": event["type"], "v": FRAME_VERSION, **event, **named, **stored})


def _clean_percent(percent: Any) -> float:
    if not isinstance(percent, Real | Decimal | str):
        raise TypeError(f"percent is {type(percent).__name__} {shorten(repr(percent), 60)}; a number is expected.")
    try:
        number = float(percent.strip().removesuffix("%")) if isinstance(percent, str) else float(percent)
    except OverflowError:
        number = math.inf if percent > 0 else 0.0  # type: ignore[operator]  # only numbers overflow
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise ValueError(f"percent is {shorten(repr(percent), 60)}; a number such as 42, 42.5 or '42%' is expected.")
    # What is nearly done is not done: 99.999 stays below 100, while 0.1 + 0.2 is 0.3.
    return math.floor(min(max(number, 0.0), 100.0) * 100 + 1e-6) / 100
