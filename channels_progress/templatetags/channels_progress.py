"""``{% load channels_progress %}``: a task's progress, and the style sheet and module it needs."""

from __future__ import annotations

from typing import Any

from django import template
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.template import Context

from channels_progress.bell import bell_context
from channels_progress.mine import my_tasks_context
from channels_progress.page_messages import messages_context, read_channels
from channels_progress.pages import assets_context, task_context

register = template.Library()

# On the request: a page is often made of several templates, and all of them share it.
_ASSETS_MARK = "_channels_progress_has_assets"


@register.inclusion_tag("channels_progress/task_progress.html", takes_context=True)
def task_progress(context: Context, task: Any, **options: Any) -> dict[str, Any]:
    """Shows a task, live: ``{% task_progress task title="Import" heading_level=3 compact=True cancel=False %}``.

    ``task`` and the options are those of :func:`channels_progress.pages.task_context`. Puts the assets in where
    nothing on the page did before. A viewer without permission sees that the task is not available.
    """
    request = _get_request(context)
    # An undefined variable arrives as an empty string.
    shown = task_context(task, request, **options) if task else None
    return {**(shown or {}), "assets": _take_assets(context, request)}


@register.inclusion_tag("channels_progress/my_tasks.html", takes_context=True)
def my_tasks(context: Context, **options: Any) -> dict[str, Any]:
    """Shows the viewer's own tasks behind a button with a badge, live: ``{% my_tasks limit=5 %}``.

    The options are those of :func:`channels_progress.mine.my_tasks_context`. Puts the assets in where nothing on the
    page did before. Nobody but the viewer ever sees their tasks.
    """
    request = _get_request(context)
    return {**my_tasks_context(request, **options), "assets": _take_assets(context, request)}


@register.inclusion_tag("channels_progress/notification_bell.html", takes_context=True)
def notification_bell(context: Context, **options: Any) -> dict[str, Any]:
    """Shows the viewer's newest notifications behind a bell with a badge, live: ``{% notification_bell limit=5 %}``.

    The options are those of :func:`channels_progress.bell.bell_context`. Puts the assets in where nothing on the page
    did before, and nothing at all on the page of somebody without login.
    """
    request = _get_request(context)
    shown = bell_context(request, **options)
    return {**shown, "assets": _take_assets(context, request)} if shown else {}


@register.inclusion_tag("channels_progress/page_messages.html", takes_context=True)
def page_messages(context: Context, **options: Any) -> dict[str, Any]:
    """Shows what is broadcast to this page, live: ``{% page_messages position="bottom-end" duration_s=5 %}``.

    The options are those of :func:`channels_progress.page_messages.messages_context`. Channels and a token that the
    view has put into the context, as ``extraChannels`` and ``subscription_token``, are heard besides those of the tag.
    Puts the assets in where nothing on the page did before.
    """
    request = _get_request(context)
    channels = [*read_channels(context.get("extraChannels")), *read_channels(options.pop("channels", ()))]
    token = options.pop("token", "") or context.get("subscription_token") or ""
    shown = messages_context(request, channels=channels, token=token, **options)
    return {**shown, "assets": _take_assets(context, request)}


@register.inclusion_tag("channels_progress/assets.html", takes_context=True)
def channels_progress_assets(context: Context) -> dict[str, Any]:
    """The style sheet, the JavaScript module and its texts, once per page however often it stands there."""
    return _take_assets(context, _get_request(context)) or {}


def _get_request(context: Context) -> HttpRequest:
    request: HttpRequest | None = context.get("request")
    if request is None:
        raise ImproperlyConfigured(
            "The channels_progress tags need `request` in the template context. Add "
            '"django.template.context_processors.request" to the context_processors in TEMPLATES, and render with a '
            "request."
        )
    return request


def _take_assets(context: Context, request: HttpRequest) -> dict[str, Any] | None:
    """The context of the assets, or None where the page has them."""
    if getattr(request, _ASSETS_MARK, False):
        return None
    setattr(request, _ASSETS_MARK, True)
    return assets_context(_find_nonce(context, request))


def _find_nonce(context: Context, request: HttpRequest) -> str:
    # Django 6 puts it into the context, django-csp onto the request. Both make it when it is first read as text, and
    # are false until then.
    nonce = context.get("csp_nonce")
    if nonce is None:
        nonce = getattr(request, "csp_nonce", None)
    return "" if nonce is None else str(nonce)
