"""Sends what the console orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User

import channels_progress
from channels_progress.audiences import Audience, channel_audience, find_audience, object_audience, user_audience
from example_project.cities.models import City

#: ``send_to_all``, ``redirect_user`` and so on.
FUNCTIONS = {"message": "send_to_{}", "redirect": "redirect_{}", "progress": "progress_{}", "html": "send_html_to_{}"}
#: What each kind of event says, as fields of the order.
CONTENT = {"message": "text", "redirect": "url", "progress": "percent", "html": "text"}
BOARD = "broadcasts/_board.html"

Order = Mapping[str, Any]


def carry_out(order: Order, *, exclude: str | None = None) -> bool | None:
    """Send it: a dict as ``ConsoleForm`` makes it, which fits into a Celery message. What the function answers."""
    kind = order["kind"]
    send = getattr(channels_progress, FUNCTIONS[kind].format(order["audience"]))
    target = find_target(order)
    arguments = [] if target is None else [target]
    options: dict[str, Any] = {"exclude": exclude}
    if kind == "html":
        # Rendered here, once for all pages, and escaped as any other template.
        return send(*arguments, BOARD, {"text": order["text"]}, **options)
    if kind == "message":
        options |= {"level": order["level"] or "info", "click_url": order["click_url"] or None}
    return send(*arguments, order[CONTENT[kind]], persist=order["persist"], **options)


def find_target(order: Order) -> Any:
    """The user, city or channel that is meant; None for a whole audience."""
    match order["audience"]:
        case "user":
            return User.objects.get(username=order["username"])
        case "object":
            return City.objects.get(pk=order["city"])
        case "channel":
            return order["channel"]
    return None


def find_order_audience(order: Order) -> Audience:
    """Who should see it."""
    match order["audience"]:
        case "user":
            return user_audience(find_target(order))
        case "object":
            return object_audience(find_target(order))
        case "channel":
            return channel_audience(order["channel"])
    return find_audience(f"audience:{order['audience']}")
