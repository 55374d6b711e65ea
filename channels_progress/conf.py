"""The one place that reads settings: the dict ``CHANNELS_PROGRESS``, and a helper for ``CHANNEL_LAYERS``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import Context, ContextVar
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

#: What a project imports from here; the rest is for this package.
__all__ = ["redis_channel_layers"]

SETTING = "CHANNELS_PROGRESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every key of ``CHANNELS_PROGRESS`` with its type and default. Times are seconds.

    Attributes:
        NAMESPACE: Prefix of every group and key and of the token's salt, so that sites or tenants on one Redis
            never meet. A string, or a callable without arguments that is asked at every use.
        STORE: Where task records live: a ``redis://``, ``rediss://`` or ``unix://`` URL, ``"database"`` or
            ``"database:alias"``, ``"memory"``, a callable returning a ``redis.Redis``, or the dotted path of a store
            class or such a callable. Unset: the channel layer's Redis where that is one plain host, else
            ``"database"``.
        STORE_TIMEOUT_S: How long one call to the store may take before it counts as unavailable.
        REPORT_INTERVAL_S: At most one progress write per task in this time; the last value is always sent.
        HEARTBEAT_S: How often a worker process says that its tasks are alive.
        STALLED_AFTER_S: A running task without a heartbeat for this long reads *stalled*.
        LOST_AFTER_S: A running task without a heartbeat for this long reads *lost*.
        RESYNC_S: How often a server process compares what its pages show with the store. Bounds how long a lost
            hint can stay unnoticed.
        RESYNC_WITHOUT_HINTS_S: The same where no hints come from other processes: the database store without a
            channel layer that they share. The pace of its pages.
        RECORD_TTL_S: How long a record is kept: from its end, from the last heartbeat while it runs, or from when its
            next attempt is due.
        MESSAGES_KEPT: How many messages of a task can be replayed.
        LISTED_PER_PERSON: How many tasks a person's list names, the newest ones.
        LISTED_FOR_STAFF: How many the list of everybody's tasks names.
        MESSAGE_MAX_CHARS: Longer texts are cut, with an ellipsis.
        TOKEN_MAX_AGE_S: How long a subscription token opens new subscriptions.
        SOCKET_PATH: Path of the WebSocket endpoint, without leading slash, below ``SCRIPT_NAME``.
        ALLOWED_ORIGINS: Origins besides the site's own that may open the socket: ``"https://app.example.com"``.
        ALLOWED_REDIRECT_HOSTS: Hosts besides the site's own that a redirect, or the link of a message, may lead to.
        ENABLE_ALL: Whether everybody can be sent something at once.
        ENABLE_AUTHENTICATED: Whether those who are logged in can be, all of them or one.
        ENABLE_ANONYMOUS: Whether those who are not can be, and whether a page without login and without a token may
            open the socket.
        ENABLE_PAGE_CHANNELS: Whether the pages of an object, or of a channel that the project has named, can be.
        NOTIFICATION_TTL_S: How long a stored message waits for those who were away.
        INBOX_TTL_S: How long an inbox keeps what ``notify`` puts there, read or not.
        INBOX_PAGE_SIZE: Items on one page of an inbox, where nobody asks for another number.
        INBOX_PAGE_SIZE_MAX: The largest number that can be asked for.
        INBOX_USER_SERIALIZER: How an inbox shows people: the dotted path of a Django REST framework serializer, or of
            a callable that takes a user and returns a dict. None shows the key and the names.
        INBOX_USER_SELECT_RELATED: What is loaded with users for it, as ``select_related`` has it.
        INBOX_USER_PREFETCH_RELATED: Likewise, as ``prefetch_related`` has it.
        DELIVERIES: The ways a notification can take besides the built-in ones, or options of those: names, each with
            the dotted path of a class, or with a dict of options (its ``"class"`` is needed for one's own only).
        DELIVERY_ATTEMPTS: How often a delivery is tried before it counts as failed.
        DELIVERY_BACKOFF_S: How long the second attempt waits; each further one twice as long, and at most an hour.
        DELIVERY_UNKNOWN_AFTER_S: A delivery that was begun so long ago and not heard of since reads *unknown*. Longer
            than any takes.
        DELIVERY_DISPATCHER: Who has deliveries carried out: the dotted path of a callable that takes a list of their
            ids and when they are due. None: Celery, where it is installed, else ``manage.py deliver_due``.
        DELIVERY_COUNTDOWN_MAX_S: What is due later is left to the periodic task: a broker such as Redis would hand
            out long countdowns again and again.
        SITE_URL: Where this site is, such as ``"https://example.com"``: put before links that leave it, in e-mails.
            None leaves them as they are.
        SUBSCRIPTION_AUTHORIZER: Dotted path of ``(user, channel_name) -> bool``, sync or async, asked where the
            viewer is not the owner. None refuses.
        MAX_FRAME_BYTES: A larger frame from a page closes its socket.
        MAX_SUBSCRIPTIONS: Channels one socket may subscribe to.
        RECHECK_S: How often an open socket is checked for what its viewer may still have: the longest time that a
            login which has ended, or a right that was lost, still counts.
        SILENCE_S: How long a socket without login may subscribe to nothing and say nothing before it is closed.
        MAX_SOCKETS_PER_VIEWER: Sockets of one person, or one anonymous session, in one server process.
        MAX_FRAMES_PER_S: Frames a page may send, for long; for a moment twenty times as many. One that names channels
            counts as many as it names.
        OUTBOX_MAX_FRAMES: Frames that may wait for one slow socket before it is closed.
        OUTBOX_MAX_CHARS: Characters that may wait for it, in all frames together. A frame with a full log has about
            ``MESSAGES_KEPT * MESSAGE_MAX_CHARS``, and a page may ask for ``MAX_SUBSCRIPTIONS`` of those at once.
        SLOW_SOCKET_S: How long one frame may take to leave before its socket is closed.
    """

    NAMESPACE: str | Callable[[], str] = "channels_progress"
    STORE: str | Callable[[], Any] | None = None
    STORE_TIMEOUT_S: float = 0.5
    REPORT_INTERVAL_S: float = 0.1
    HEARTBEAT_S: float = 5.0
    STALLED_AFTER_S: float = 20.0
    LOST_AFTER_S: float = 120.0
    RESYNC_S: float = 15.0
    RESYNC_WITHOUT_HINTS_S: float = 1.0
    RECORD_TTL_S: int = 86_400
    MESSAGES_KEPT: int = 100
    LISTED_PER_PERSON: int = 100
    LISTED_FOR_STAFF: int = 1_000
    MESSAGE_MAX_CHARS: int = 2_000
    TOKEN_MAX_AGE_S: int = 43_200
    SOCKET_PATH: str = "asgi/notifications/"
    ALLOWED_ORIGINS: Sequence[str] = ()
    ALLOWED_REDIRECT_HOSTS: Sequence[str] = ()
    ENABLE_ALL: bool = True
    ENABLE_AUTHENTICATED: bool = True
    ENABLE_ANONYMOUS: bool = False
    ENABLE_PAGE_CHANNELS: bool = True
    NOTIFICATION_TTL_S: int = 604_800
    INBOX_TTL_S: int = 7_776_000
    INBOX_PAGE_SIZE: int = 25
    INBOX_PAGE_SIZE_MAX: int = 100
    INBOX_USER_SERIALIZER: str | None = None
    INBOX_USER_SELECT_RELATED: Sequence[str] = ()
    INBOX_USER_PREFETCH_RELATED: Sequence[str] = ()
    DELIVERIES: Mapping[str, str | Mapping[str, Any]] | None = None
    DELIVERY_ATTEMPTS: int = 5
    DELIVERY_BACKOFF_S: float = 5.0
    DELIVERY_UNKNOWN_AFTER_S: float = 900.0
    DELIVERY_DISPATCHER: str | None = None
    DELIVERY_COUNTDOWN_MAX_S: float = 600.0
    SITE_URL: str | None = None
    SUBSCRIPTION_AUTHORIZER: str | Callable[..., Any] | None = None
    MAX_FRAME_BYTES: int = 4_096
    MAX_SUBSCRIPTIONS: int = 64
    RECHECK_S: float = 30.0
    SILENCE_S: float = 10.0
    MAX_SOCKETS_PER_VIEWER: int = 100
    MAX_FRAMES_PER_S: float = 100.0
    OUTBOX_MAX_FRAMES: int = 256
    OUTBOX_MAX_CHARS: int = 16_000_000
    SLOW_SOCKET_S: float = 20.0


KNOWN_KEYS = frozenset(field.name for field in fields(Settings))


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings in force. Unknown keys are left to the system check and ignored here."""
    given = getattr(django_settings, SETTING, None) or {}
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured(f"{SETTING} is {given!r}; a dict is expected.")
    return Settings(**{key: value for key, value in given.items() if key in KNOWN_KEYS})


_pinned_namespace: ContextVar[str | None] = ContextVar("channels_progress_namespace", default=None)


def get_namespace() -> str:
    """The namespace in force now; asked at every use, because a callable may answer per tenant."""
    if (pinned := _pinned_namespace.get()) is not None:
        return pinned
    namespace = get_settings().NAMESPACE
    return namespace() if callable(namespace) else namespace


def make_pinned_context(namespace: str) -> Context:
    """An empty context in which ``get_namespace`` answers this: for work done for a tenant outside any request."""
    context = Context()
    context.run(_pinned_namespace.set, namespace)
    return context


def _reset(*, setting: str, **kwargs: Any) -> None:
    if setting == SETTING:
        get_settings.cache_clear()


setting_changed.connect(_reset, dispatch_uid="channels_progress.conf")


def redis_channel_layers(url: str, **layer_config: Any) -> dict[str, Any]:
    """A ``CHANNEL_LAYERS`` value for one Redis: the pub/sub layer, safe with redis-py 8.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://`` URL.
        layer_config: More entries of the layer's ``CONFIG``, such as ``prefix``.

    redis-py 8 gives connections a ``socket_timeout`` of 5 s by default, which ends every idle subscription;
    here it is off.
    """
    host = {"address": url, "socket_timeout": None}
    return {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [host], **layer_config},
        }
    }
