"""Carries out an order of ``send_notification``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from channels_progress import audiences, broadcasts
from channels_progress.audiences import Audience, AudienceKind
from channels_progress.management.orders import Order

Function = Callable[..., bool | None]

FUNCTIONS: Mapping[tuple[str, AudienceKind], Function] = {
    ("message", AudienceKind.ALL): broadcasts.send_to_all,
    ("message", AudienceKind.AUTHENTICATED): broadcasts.send_to_authenticated,
    ("message", AudienceKind.ANONYMOUS): broadcasts.send_to_anonymous,
    ("message", AudienceKind.USER): broadcasts.send_to_user,
    ("message", AudienceKind.OBJECT): broadcasts.send_to_object,
    ("message", AudienceKind.CHANNEL): broadcasts.send_to_channel,
    ("redirect", AudienceKind.USER): broadcasts.redirect_user,
    ("redirect", AudienceKind.OBJECT): broadcasts.redirect_object,
    ("redirect", AudienceKind.CHANNEL): broadcasts.redirect_channel,
    ("progress", AudienceKind.USER): broadcasts.progress_user,
    ("progress", AudienceKind.OBJECT): broadcasts.progress_object,
    ("progress", AudienceKind.CHANNEL): broadcasts.progress_channel,
}


def dispatch(order: Order) -> bool | None:
    """Send it; what the function of ``broadcasts`` answers.

    Raises:
        ValueError: The payload is a URL that leads elsewhere, or no percentage.
    """
    target = () if order.target is None else (order.target,)
    return FUNCTIONS[order.kind, order.audience](*target, order.payload, **order.options)


def find_switch(order: Order) -> str:
    """The setting that turns this audience off."""
    makers: Mapping[AudienceKind, Callable[[Any], Audience]] = {
        AudienceKind.USER: audiences.user_audience,
        AudienceKind.OBJECT: audiences.object_audience,
        AudienceKind.CHANNEL: audiences.channel_audience,
    }
    if make := makers.get(order.audience):
        return make(order.target).switch
    return Audience(order.audience, "").switch
