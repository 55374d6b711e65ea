"""Who should see something: an audience, the channel that stands for it, and the switch that turns it off.

Every audience is one channel: ``audience:all``, ``audience:authenticated``, ``audience:anonymous``, ``user:<pk>`` for
all pages of one user, ``<app_label>.<model>-<pk>`` for the pages of an object, and any other text for what a project
names itself. ``task:`` and ``tasks:`` belong to the store, ``inbox:`` to inboxes: nothing is broadcast there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db.models import Model

from channels_progress.conf import get_settings
from channels_progress.events import LIST_CHANNEL_PREFIX, TASK_CHANNEL_PREFIX
from channels_progress.exceptions import ChannelWithoutObject
from channels_progress.values import UNSAFE, shorten
from channels_progress.viewers import USER_KEY_PREFIX, Viewer

__all__ = ["convert_obj_to_channel_name", "get_channel_name_for_user", "get_obj_from_channel_name"]

AUDIENCE_PREFIX = "audience:"
#: Changes of inboxes are told there, to nobody but their owners.
INBOX_CHANNEL_PREFIX = "inbox:"
USER_CHANNEL_PREFIX = USER_KEY_PREFIX
CHANNEL_MAX_CHARS = 300
_RESERVED = (INBOX_CHANNEL_PREFIX, TASK_CHANNEL_PREFIX, LIST_CHANNEL_PREFIX)


class AudienceKind(StrEnum):
    """Whom an audience is made of."""

    ALL = "all"
    AUTHENTICATED = "authenticated"
    ANONYMOUS = "anonymous"
    USER = "user"
    OBJECT = "object"
    CHANNEL = "channel"


_SWITCHES = {
    AudienceKind.ALL: "ENABLE_ALL",
    AudienceKind.AUTHENTICATED: "ENABLE_AUTHENTICATED",
    AudienceKind.ANONYMOUS: "ENABLE_ANONYMOUS",
    AudienceKind.USER: "ENABLE_AUTHENTICATED",
    AudienceKind.OBJECT: "ENABLE_PAGE_CHANNELS",
    AudienceKind.CHANNEL: "ENABLE_PAGE_CHANNELS",
}


@dataclass(frozen=True, slots=True)
class Audience:
    """Who should see something.

    Attributes:
        kind: Whom it is made of.
        channel: What their pages subscribe to.
    """

    kind: AudienceKind
    channel: str

    @property
    def switch(self) -> str:
        """The setting that turns it off."""
        return _SWITCHES[self.kind]

    @property
    def is_enabled(self) -> bool:
        """Whether the settings let anything through to it."""
        return bool(getattr(get_settings(), self.switch))


ALL = Audience(AudienceKind.ALL, AUDIENCE_PREFIX + AudienceKind.ALL)
AUTHENTICATED = Audience(AudienceKind.AUTHENTICATED, AUDIENCE_PREFIX + AudienceKind.AUTHENTICATED)
ANONYMOUS = Audience(AudienceKind.ANONYMOUS, AUDIENCE_PREFIX + AudienceKind.ANONYMOUS)

_BY_CHANNEL = {audience.channel: audience for audience in (ALL, AUTHENTICATED, ANONYMOUS)}


def user_audience(user: Any) -> Audience:
    """All pages of one user. Raises as ``get_channel_name_for_user`` does."""
    return Audience(AudienceKind.USER, get_channel_name_for_user(user))


def object_audience(obj: Model) -> Audience:
    """The pages that show an object. Raises as ``convert_obj_to_channel_name`` does."""
    return Audience(AudienceKind.OBJECT, convert_obj_to_channel_name(obj))


def channel_audience(name: str) -> Audience:
    """Whoever subscribes to this name; that of a user or of an object means the same as they do.

    Raises:
        TypeError: ``name`` is not a string.
        ValueError: It is empty, longer than 300 characters, holds NUL or half a character, or is reserved.
    """
    if not isinstance(name, str):
        raise TypeError(f"channel is {type(name).__name__} {shorten(repr(name), 60)}; a string is expected.")
    if not is_broadcast_channel(name) or name.startswith(AUDIENCE_PREFIX):
        raise ValueError(
            f"channel is {shorten(repr(name), 60)}; a name of 1 to {CHANNEL_MAX_CHARS} characters is expected that "
            f"does not begin with {', '.join(map(repr, (AUDIENCE_PREFIX, *_RESERVED)))}."
        )
    return find_audience(name)


def find_audience(channel: str) -> Audience:
    """The audience that a channel stands for."""
    if audience := _BY_CHANNEL.get(channel):
        return audience
    is_user = channel.startswith(USER_CHANNEL_PREFIX)
    return Audience(AudienceKind.USER if is_user else AudienceKind.CHANNEL, channel)


def find_audiences(viewer: Viewer) -> Iterator[Audience]:
    """Those that a viewer belongs to by being who they are, as far as they are switched on."""
    if viewer.is_locked_out:
        return
    own = (AUTHENTICATED, user_audience(viewer.user)) if viewer.is_authenticated else (ANONYMOUS,)
    yield from (audience for audience in (ALL, *own) if audience.is_enabled)


def is_whole_audience(audience: Audience) -> bool:
    """Whether it is one that people belong to by being logged in or not: nobody can ask for it, or give it."""
    return audience.channel in _BY_CHANNEL


def is_broadcast_channel(channel: str) -> bool:
    """Whether something can be broadcast to this channel: not to a task's, nor to a list's."""
    is_sane = 0 < len(channel) <= CHANNEL_MAX_CHARS and not UNSAFE.search(channel)
    is_known = not channel.startswith(AUDIENCE_PREFIX) or channel in _BY_CHANNEL
    return is_sane and is_known and not channel.startswith(_RESERVED)


def get_channel_name_for_user(user: Any) -> str:
    """The channel of all pages of one user: ``user:<pk>``, which no renaming moves.

    Raises:
        TypeError: This is not a user, or nobody in particular (``AnonymousUser``).
        ValueError: The user is not saved yet.
    """
    if not hasattr(user, "pk") or not getattr(user, "is_authenticated", True):
        raise TypeError(f"user is {shorten(repr(user), 60)}; somebody who can log in is expected.")
    if user.pk is None:
        raise ValueError(f"user {shorten(repr(user), 60)} is not saved yet, and so has no channel.")
    return f"{USER_CHANNEL_PREFIX}{user.pk}"


def convert_obj_to_channel_name(obj: Model) -> str:
    """The channel of the pages that show this object: ``<app_label>.<model>-<pk>``, of whatever kind the key is.

    A proxy's is that of what it stands for.

    Raises:
        TypeError: This is not a model instance.
        ValueError: It is not saved yet, or its key makes the name too long.
    """
    if not isinstance(obj, Model):
        raise TypeError(f"obj is {type(obj).__name__} {shorten(repr(obj), 60)}; a model instance is expected.")
    meta: Any = obj._meta
    meta = meta.concrete_model._meta
    # A key of several columns is a tuple, which is set once all of it is.
    if obj.pk is None or (isinstance(obj.pk, tuple) and None in obj.pk):
        raise ValueError(f"{meta.label} {shorten(repr(obj), 60)} is not saved yet, and so has no channel.")
    name = f"{meta.label_lower}-{meta.pk.value_to_string(obj)}"
    if not is_broadcast_channel(name):
        raise ValueError(f"The key of {meta.label} makes the channel {shorten(repr(name), 60)}, which is not possible.")
    return name


def get_obj_from_channel_name(name: str) -> Model:
    """The object whose pages this channel is for: the inverse of ``convert_obj_to_channel_name``.

    For a ``SUBSCRIPTION_AUTHORIZER``, where whatever it raises refuses.

    Raises:
        ChannelWithoutObject: There is no such model, or its key cannot be this one.
        django.core.exceptions.ObjectDoesNotExist: There is no such object.
    """
    label, _, key = name.partition("-")
    try:
        model = apps.get_model(label)
        pk = model._meta.pk.to_python(key)
    except (LookupError, ValueError, ValidationError) as error:
        raise ChannelWithoutObject(
            f"channel is {shorten(repr(name), 60)}; that of an object, such as 'articles.article-42', is expected."
        ) from error
    obj: Model = model._base_manager.get(pk=pk)
    return obj
