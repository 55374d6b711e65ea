"""Which ways a notice takes, and when: found right before anything is written, and followed once it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from channels_progress.audiences import USER_CHANNEL_PREFIX, find_audience
from channels_progress.broadcast_events import message_event
from channels_progress.models import Notice
from channels_progress.notifications.conditions import UNREAD
from channels_progress.send import Parcel, send
from channels_progress.values import clean_number, shorten

WEBSOCKET = "websocket"


@dataclass(frozen=True, slots=True)
class Plan:
    """The ways of one notice.

    Attributes:
        immediate: Told to all recipients in one go, and not recorded.
        recorded: One record for each item.
        countdown_s: How long the recorded ones wait.
        condition: Asked when they are due; an empty string for none.
    """

    immediate: tuple[str, ...]
    recorded: tuple[str, ...]
    countdown_s: float
    condition: str


def make_plan(deliveries: Collection[str], *, countdown: float, condition: str | Callable[..., bool] | None) -> Plan:
    """The plan for these arguments of ``notify``.

    Raises:
        TypeError: The deliveries are no collection of names, or the countdown is no number.
        ValueError: An unknown delivery or condition; a countdown below zero, or endless.
    """
    if isinstance(deliveries, str) or not isinstance(deliveries, Collection):
        raise TypeError(f"deliveries is {shorten(repr(deliveries), 60)}; a list of names is expected.")
    names = tuple(dict.fromkeys(deliveries))
    known = (WEBSOCKET,)
    for name in names:
        if name not in known:
            raise ValueError(f"deliveries has {shorten(repr(name), 60)}; {', '.join(known)} are known.")
    if condition not in (None, UNREAD):
        raise ValueError(f"condition is {shorten(repr(condition), 60)}; {UNREAD!r} or None is expected.")
    countdown_s = float(clean_number(countdown, "countdown"))
    at_once = not countdown_s and condition is None
    immediate = tuple(name for name in names if at_once and name == WEBSOCKET)
    recorded = tuple(name for name in names if name not in immediate)
    return Plan(immediate, recorded, countdown_s, UNREAD if condition else "")


def send_out(plan: Plan, notice: Notice, people: Mapping[str, list[str]], *, on_commit: str | None) -> None:
    """Send what is immediate and have the recorded ones sent: after the commit on this database, or now.

    Args:
        people: The keys of whom each delivery is for, as text.
    """
    if not (pks := people.get(WEBSOCKET) if WEBSOCKET in plan.immediate else None):
        return
    event: dict[str, Any] = message_event(notice.text, level=notice.level, click_url=notice.url or None)
    for pk in pks:
        send(Parcel(find_audience(f"{USER_CHANNEL_PREFIX}{pk}"), event), on_commit=on_commit or False)
