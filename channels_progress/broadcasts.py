"""Messages, redirects and progress to any audience, from any code: a view, a signal, a task, a command, a shell.

    send_to_user(alice, "Your import has finished", level="success", click_url="/cities/")

Each function builds an audience and an event, and hands both to ``send``. What they answer is said there. All take
``on_commit`` (wait for the transaction to succeed), ``persist`` (store it for those who are away, which waits for the
commit as well; a ``timedelta`` says for how long) and ``exclude`` (the id of a page that should not see it). Those
that send a message also take ``level``, ``click_url``, ``close_url`` and ``hide_close_option``, see
``broadcast_events.message_event``. The functions whose names begin with ``a`` are the same for async code.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, TypedDict, Unpack

from asgiref.sync import sync_to_async
from django.apps import apps
from django.core.exceptions import SynchronousOnlyOperation
from django.db.models import Model
from django.template.loader import render_to_string

from channels_progress.audiences import (
    ALL,
    ANONYMOUS,
    AUTHENTICATED,
    Audience,
    channel_audience,
    object_audience,
    user_audience,
)
from channels_progress.broadcast_events import Event, html_event, message_event, progress_event, redirect_event
from channels_progress.lifetimes import read_lifetime
from channels_progress.page_ids import clean_page_id
from channels_progress.send import Parcel, asend, send

__all__ = [
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
]

Parameters = ParamSpec("Parameters")


class Options(TypedDict, total=False):
    """How an event is sent; see the module."""

    on_commit: bool
    persist: bool | timedelta
    exclude: str | None


class HTMLOptions(TypedDict, total=False):
    """How HTML is sent: it is made for the pages open now, so it is never stored."""

    on_commit: bool
    exclude: str | None


class MessageOptions(Options, total=False):
    """How a message looks, and how it is sent; see the module."""

    level: int | str
    click_url: str | None
    close_url: str | None
    hide_close_option: bool


@dataclass(frozen=True, slots=True)
class _Order:
    """What a call asks for."""

    parcel: Parcel
    on_commit: bool
    lifetime: timedelta | None = None


def _sends(build: Callable[Parameters, _Order]) -> Callable[Parameters, bool | None]:
    """Make the public function of one that only says what to send."""

    @wraps(build)
    def function(*args: Parameters.args, **kwargs: Parameters.kwargs) -> bool | None:
        return _carry_out(build(*args, **kwargs))

    return function


def _make_async(function: Callable[Parameters, bool | None]) -> Callable[Parameters, Coroutine[Any, Any, bool | None]]:
    """The async twin of a public function."""
    build: Callable[Parameters, _Order] = function.__wrapped__  # type: ignore[attr-defined]  # set by wraps()

    @wraps(build)
    async def twin(*args: Parameters.args, **kwargs: Parameters.kwargs) -> bool | None:
        try:
            order = build(*args, **kwargs)
        except SynchronousOnlyOperation:
            # A lazy request.user, or a template that asks the database.
            order = await sync_to_async(build)(*args, **kwargs)
        if order.lifetime:
            return await sync_to_async(_carry_out)(order)
        return await asend(order.parcel, on_commit=order.on_commit)

    twin.__name__ = twin.__qualname__ = f"a{function.__name__}"
    twin.__doc__ = f"As ``{function.__name__}``, for async code."
    return twin


def _carry_out(order: _Order) -> bool | None:
    parcel = order.parcel
    if not order.lifetime:
        return send(parcel, on_commit=order.on_commit)
    if not parcel.audience.is_enabled:
        return None
    # By its name: this module can be imported before Django has its models, by an ``apps.py``.
    notifications = apps.get_model("channels_progress.Notification")._default_manager
    sent: bool | None = notifications.store(parcel.audience, parcel.event, order.lifetime).send(exclude=parcel.exclude)
    return sent


def _order(audience: Audience, event: Event, options: Mapping[str, Any]) -> _Order:
    _refuse_unknown(options, Options)
    parcel = Parcel(audience, event, clean_page_id(options.get("exclude")))
    return _Order(parcel, options.get("on_commit", False), read_lifetime(options.get("persist", False)))


_LOOKS = MessageOptions.__annotations__.keys() - Options.__annotations__.keys()


def _refuse_unknown(given: Mapping[str, Any], options: type) -> None:
    if unknown := sorted(given.keys() - options.__annotations__.keys()):
        raise TypeError(f"Unknown option {', '.join(unknown)}; there are {', '.join(sorted(options.__annotations__))}.")


def _order_message(audience: Audience, text: str, options: MessageOptions) -> _Order:
    _refuse_unknown(options, MessageOptions)
    looks: dict[str, Any] = {name: value for name, value in options.items() if name in _LOOKS}
    others: dict[str, Any] = {name: value for name, value in options.items() if name not in _LOOKS}
    return _order(audience, message_event(text, **looks), others)


def _order_html(audience: Audience, template_name: str, context: dict[str, Any] | None, options: HTMLOptions) -> _Order:
    _refuse_unknown(options, HTMLOptions)
    return _order(audience, html_event(str(render_to_string(template_name, context))), options)


@_sends
def send_to_all(text: str, **options: Unpack[MessageOptions]) -> _Order:
    """A message to every open page."""
    return _order_message(ALL, text, options)


@_sends
def send_to_authenticated(text: str, **options: Unpack[MessageOptions]) -> _Order:
    """A message to the pages of everybody who is logged in."""
    return _order_message(AUTHENTICATED, text, options)


@_sends
def send_to_anonymous(text: str, **options: Unpack[MessageOptions]) -> _Order:
    """A message to the pages of everybody who is not."""
    return _order_message(ANONYMOUS, text, options)


@_sends
def send_to_user(user: Any, text: str, **options: Unpack[MessageOptions]) -> _Order:
    """A message to all pages of one user."""
    return _order_message(user_audience(user), text, options)


@_sends
def send_to_object(obj: Model, text: str, **options: Unpack[MessageOptions]) -> _Order:
    """A message to the pages that subscribe to this object."""
    return _order_message(object_audience(obj), text, options)


@_sends
def send_to_channel(name: str, text: str, **options: Unpack[MessageOptions]) -> _Order:
    """A message to the pages that subscribe to this channel."""
    return _order_message(channel_audience(name), text, options)


@_sends
def redirect_user(user: Any, url: str, **options: Unpack[Options]) -> _Order:
    """Lead all pages of one user elsewhere. There is no such function for everybody: it would be a mistake."""
    return _order(user_audience(user), redirect_event(url), options)


@_sends
def redirect_object(obj: Model, url: str, **options: Unpack[Options]) -> _Order:
    """Lead the pages that subscribe to this object elsewhere."""
    return _order(object_audience(obj), redirect_event(url), options)


@_sends
def redirect_channel(name: str, url: str, **options: Unpack[Options]) -> _Order:
    """Lead the pages that subscribe to this channel elsewhere."""
    return _order(channel_audience(name), redirect_event(url), options)


@_sends
def progress_user(user: Any, percent: float | str, **options: Unpack[Options]) -> _Order:
    """Show all pages of one user how far something is: ``42``, ``42.5`` or ``"42%"``."""
    return _order(user_audience(user), progress_event(percent), options)


@_sends
def progress_object(obj: Model, percent: float | str, **options: Unpack[Options]) -> _Order:
    """Show the pages that subscribe to this object how far something is."""
    return _order(object_audience(obj), progress_event(percent), options)


@_sends
def progress_channel(name: str, percent: float | str, **options: Unpack[Options]) -> _Order:
    """Show the pages that subscribe to this channel how far something is."""
    return _order(channel_audience(name), progress_event(percent), options)


@_sends
def send_html_to_all(
    template_name: str, context: dict[str, Any] | None = None, **options: Unpack[HTMLOptions]
) -> _Order:
    """A template, rendered once, whose elements replace those with the same id on every open page."""
    return _order_html(ALL, template_name, context, options)


@_sends
def send_html_to_authenticated(
    template_name: str, context: dict[str, Any] | None = None, **options: Unpack[HTMLOptions]
) -> _Order:
    """The same for the pages of everybody who is logged in."""
    return _order_html(AUTHENTICATED, template_name, context, options)


@_sends
def send_html_to_anonymous(
    template_name: str, context: dict[str, Any] | None = None, **options: Unpack[HTMLOptions]
) -> _Order:
    """The same for the pages of everybody who is not."""
    return _order_html(ANONYMOUS, template_name, context, options)


@_sends
def send_html_to_user(
    user: Any, template_name: str, context: dict[str, Any] | None = None, **options: Unpack[HTMLOptions]
) -> _Order:
    """The same for all pages of one user."""
    return _order_html(user_audience(user), template_name, context, options)


@_sends
def send_html_to_object(
    obj: Model, template_name: str, context: dict[str, Any] | None = None, **options: Unpack[HTMLOptions]
) -> _Order:
    """The same for the pages that subscribe to this object."""
    return _order_html(object_audience(obj), template_name, context, options)


@_sends
def send_html_to_channel(
    name: str, template_name: str, context: dict[str, Any] | None = None, **options: Unpack[HTMLOptions]
) -> _Order:
    """The same for the pages that subscribe to this channel."""
    return _order_html(channel_audience(name), template_name, context, options)


asend_to_all = _make_async(send_to_all)
asend_to_authenticated = _make_async(send_to_authenticated)
asend_to_anonymous = _make_async(send_to_anonymous)
asend_to_user = _make_async(send_to_user)
asend_to_object = _make_async(send_to_object)
asend_to_channel = _make_async(send_to_channel)
aredirect_user = _make_async(redirect_user)
aredirect_object = _make_async(redirect_object)
aredirect_channel = _make_async(redirect_channel)
aprogress_user = _make_async(progress_user)
aprogress_object = _make_async(progress_object)
aprogress_channel = _make_async(progress_channel)
asend_html_to_all = _make_async(send_html_to_all)
asend_html_to_authenticated = _make_async(send_html_to_authenticated)
asend_html_to_anonymous = _make_async(send_html_to_anonymous)
asend_html_to_user = _make_async(send_html_to_user)
asend_html_to_object = _make_async(send_html_to_object)
asend_html_to_channel = _make_async(send_html_to_channel)
