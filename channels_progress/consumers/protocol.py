"""What a page and the server say to each other over the socket: frames parsed and built, no I/O.

A page sends JSON objects in text frames; keys not named here are ignored, so that a newer page can talk to an older
server:

- ``{"type": "subscribe", "token": …, "channel"?: …, "since"?: {channel: [epoch, offset]}, "ref"?: …}``
- ``{"type": "subscribe", "channels": [channel, …], "since"?: …}``, where the authorizer decides
- ``{"type": "subscribe", "audiences": true, "since"?: …, "ref"?: …}``, whatever audiences the viewer belongs to
- ``{"type": "unsubscribe", "channel": …}``
- ``{"type": "ack_message", "id": …}``
- ``{"type": "inbox", "page"?: …, "page_size"?: …, "is_read"?: …}``, and ``{"type": "inbox", "open": false}``
- ``{"type": "ping"}``
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Never

from channels_progress.events import FRAME_VERSION, encode_json
from channels_progress.exceptions import FrameRefused
from channels_progress.records import Liveness
from channels_progress.values import MAX_NUMBER

#: The WebSocket subprotocol that the server answers. A page without login offers its token beside it.
SUBPROTOCOL = "channels-progress"


class CloseCode(IntEnum):
    """Why the server closed a socket: the HTTP status that says the same, plus 4000 (RFC 6455, 7.4.2)."""

    MALFORMED = 4400
    LOGIN_ENDED = 4401
    FORBIDDEN = 4403
    UNKNOWN_TYPE = 4404
    TOO_SLOW = 4408
    TOO_LARGE = 4413
    TOO_MANY = 4429
    SERVER_ERROR = 4500


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A page asks for the channels of a token.

    Attributes:
        token: As the page sent it; not verified.
        channel: The one channel of the token that is meant, or None for all of them.
        since: Per channel the (epoch, offset) of the last message that the page has.
        ref: A number that the page gives its asking, to know the answers by, or None.
    """

    # Whatever shows a frame, a log or a traceback's locals, does not show this.
    token: str = field(repr=False)
    channel: str | None = None
    since: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    ref: int | None = None


@dataclass(frozen=True, slots=True)
class SubscribeChannels:
    """A page asks for channels by name.

    Attributes:
        channels: As the page sent them, each once.
        since: As in ``Subscribe``.
    """

    channels: tuple[str, ...]
    since: Mapping[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubscribeAudiences:
    """A page asks for whatever audiences its viewer belongs to; ``since`` and ``ref`` as in ``Subscribe``."""

    since: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    ref: int | None = None


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """A page has the stored event with this id."""

    notification_id: int


@dataclass(frozen=True, slots=True)
class OpenInbox:
    """A page asks for a page of its viewer's inbox, and for whatever changes there from then on.

    Attributes:
        wanted: ``page``, ``page_size`` and ``is_read``, as the page sent them, where it did; not checked.
    """

    wanted: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CloseInbox:
    """A page no longer shows the inbox."""


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """A page no longer wants a channel."""

    channel: str


@dataclass(frozen=True, slots=True)
class Ping:
    """A page asks whether anybody is there."""


ClientFrame = (
    Subscribe | SubscribeChannels | SubscribeAudiences | Unsubscribe | Acknowledge | OpenInbox | CloseInbox | Ping
)

#: What can be asked of an inbox: the keyword arguments of ``notifications.pages.read_page``.
INBOX_KEYS = ("page", "page_size", "is_read")
#: What an ``inbox`` frame begins with.
INBOX_HEAD: Mapping[str, Any] = {"type": "inbox", "v": FRAME_VERSION}


def parse_frame(text: str | None, *, max_bytes: int) -> ClientFrame:
    """The frame that a page sent; ``text`` is None for a binary one.

    Raises:
        FrameRefused: It is not of the protocol, with the code and the reason to close the socket with.
    """
    if text is None:
        raise _malformed("binary")
    # A character takes at most four bytes: the exact count is only needed between the two.
    if len(text) > max_bytes or len(text.encode("utf-8", "surrogatepass")) > max_bytes:
        raise FrameRefused(CloseCode.TOO_LARGE, "frame too large")
    frame = _decode(text)
    if not isinstance(frame, dict):
        raise _malformed("not an object")
    parse = _PARSERS.get(_text(frame, "type"))
    if parse is None:
        raise FrameRefused(CloseCode.UNKNOWN_TYPE, "unknown type")
    return parse(frame)


def subscribed_text(channel: str, *, ref: int | None = None, begun_at: int | None = None) -> str:
    """The channel is watched from here on; the frame of it that follows, if any, is a reading of the store.

    ``begun_at`` is for a page that cannot acknowledge and did not say where it was: the position to begin from.
    """
    return _frame_text("subscribed", channel=channel, ref=ref, id=begun_at)


def refused_text(channel: str | None = None, *, reason: str = "", ref: int | None = None) -> str:
    """The answer to every subscription that is not granted; echoes the channel asked for.

    ``reason`` is ``"limit"`` for what is granted but too much for one socket; else nobody is told why.
    """
    return _frame_text("refused", channel=channel, reason=reason or None, ref=ref)


def inbox_refused_text(field: str, reason: str) -> str:
    """What was asked of an inbox is not possible; ``field`` is what is wrong with it."""
    return _frame_text("inbox", error={"field": field, "reason": reason})


def _frame_text(kind: str, **fields: Any) -> str:
    known = {key: value for key, value in fields.items() if value is not None}
    return encode_json({"type": kind, "v": FRAME_VERSION, **known})


def missing_text(channel: str, liveness: Liveness) -> str:
    """The store has lost the record of a task that this page has seen; if it ran, it now counts as ``liveness``."""
    return encode_json({"type": "missing", "v": FRAME_VERSION, "channel": channel, "liveness": str(liveness)})


PONG_TEXT = encode_json({"type": "pong", "v": FRAME_VERSION})


def _decode(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _malformed("not JSON") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _malformed("duplicate key")
    return values


def _parse_subscribe(frame: dict[str, Any]) -> ClientFrame:
    since = _since(frame.get("since"))
    if frame.get("audiences") is True:
        return SubscribeAudiences(since, _ref(frame))
    if frame.get("channels") is not None:
        return SubscribeChannels(_channels(frame["channels"]), since)
    channel = _text(frame, "channel") if frame.get("channel") is not None else None
    return Subscribe(_text(frame, "token"), channel, since, _ref(frame))


def _channels(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _malformed("channels")
    return tuple(dict.fromkeys(_text({"channels": name}, "channels") for name in value))


def _parse_acknowledge(frame: dict[str, Any]) -> Acknowledge:
    match frame.get("id"):
        case int(number) if not isinstance(number, bool) and 0 < number <= MAX_NUMBER:
            return Acknowledge(number)
    raise _malformed("id")


def _parse_inbox(frame: dict[str, Any]) -> ClientFrame:
    if frame.get("open") is False:
        return CloseInbox()
    # What is wrong with a value is answered, and closes no socket.
    return OpenInbox({key: frame[key] for key in INBOX_KEYS if key in frame})


def _ref(frame: dict[str, Any]) -> int | None:
    match frame.get("ref"):
        case None:
            return None
        case int(number) if not isinstance(number, bool) and 0 <= number <= MAX_NUMBER:
            return number
    raise _malformed("ref")


def _since(value: Any) -> dict[str, tuple[str, int]]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _malformed("since")
    return {channel: _position(position) for channel, position in value.items()}


def _position(value: Any) -> tuple[str, int]:
    match value:
        # bool is an int to Python, not to the protocol.
        case [str(epoch), int(offset)] if not isinstance(offset, bool) and 0 <= offset <= MAX_NUMBER:
            return _encodable(epoch, "since"), offset
    raise _malformed("since")


def _text(frame: dict[str, Any], key: str) -> str:
    value = frame.get(key)
    if not isinstance(value, str) or not value:
        raise _malformed(key)
    return _encodable(value, key)


def _encodable(value: str, key: str) -> str:
    """JSON can spell lone surrogates, which neither a store nor a frame can carry."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _malformed(key) from None
    return value


def _malformed(what: str) -> FrameRefused:
    return FrameRefused(CloseCode.MALFORMED, f"malformed: {what}")


def _refuse_constant(name: str) -> Never:
    """NaN and infinities, which are not JSON."""
    raise _malformed("number")


_PARSERS: Mapping[str, Callable[[dict[str, Any]], ClientFrame]] = {
    "subscribe": _parse_subscribe,
    "unsubscribe": lambda frame: Unsubscribe(_text(frame, "channel")),
    "ack_message": _parse_acknowledge,
    "inbox": _parse_inbox,
    "ping": lambda frame: Ping(),
}
