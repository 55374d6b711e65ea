"""What each parser promises, whatever it is given. Each target raises where a promise is broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from channels_progress.conf import get_settings
from channels_progress.consumers.inbox_consumer import parse_request
from channels_progress.consumers.origins import is_allowed_origin
from channels_progress.consumers.protocol import (
    Acknowledge,
    CloseInbox,
    OpenInbox,
    Ping,
    Subscribe,
    SubscribeAudiences,
    SubscribeChannels,
    Unsubscribe,
    parse_frame,
)
from channels_progress.consumers.query import ConnectQuery, parse_query
from channels_progress.exceptions import FrameRefused, TokenRefused
from channels_progress.tokens import has_valid_signature, read_expired_token, verify_subscription_token
from channels_progress.viewers import Viewer

VIEWER = Viewer(None, "nonce")
REASON_MAX_BYTES = 123  # RFC 6455, 5.5: what a close frame has room for
FRAMES = (Subscribe, SubscribeChannels, SubscribeAudiences, Unsubscribe, Acknowledge, OpenInbox, CloseInbox, Ping)


def check_frame(text: str) -> None:
    """A frame, all of whose texts can be sent on, or a refusal with a code of ours that fits into a close frame."""
    outcome = _attempt(lambda: parse_frame(text, max_bytes=get_settings().MAX_FRAME_BYTES), FrameRefused)
    if isinstance(outcome, FrameRefused):
        assert 4400 <= outcome.code <= 4499, outcome.code
        assert len(outcome.reason.encode()) <= REASON_MAX_BYTES, outcome.reason
        assert outcome.__cause__ is None
        return
    assert isinstance(outcome, FRAMES), outcome
    # No lone surrogates, which neither a store nor a frame can carry.
    texts = [getattr(outcome, "channel", None) or "", getattr(outcome, "token", ""), *getattr(outcome, "channels", ())]
    positions = getattr(outcome, "since", {}).values()
    "".join([*texts, *(epoch for epoch, _ in positions)]).encode()
    assert all(offset >= 0 for _, offset in positions)


def check_request(text: str) -> None:
    """What is asked of an inbox, or nothing."""
    outcome = parse_request(text)
    assert outcome is None or outcome.keys() <= {"page", "page_size", "is_read"}, outcome


def check_token(text: str) -> None:
    """Refused, always with the same words: nobody guesses a signature."""
    for read in (verify_subscription_token, read_expired_token):
        outcome = _attempt(lambda read=read: read(text, VIEWER), TokenRefused)
        assert isinstance(outcome, TokenRefused), outcome
        assert outcome.args == ("This subscription token is not valid.",), outcome.args
    assert not has_valid_signature(text)


def check_query(raw: bytes) -> None:
    """A query, with texts that can be sent on and not too many of them to look at, or an empty one."""
    query = parse_query({"query_string": raw})
    assert isinstance(query, ConnectQuery)
    assert all(isinstance(channel, str) for channel in query.channels)
    "".join(query.channels).encode()
    query.token.encode()
    assert query.since is None or query.since >= 0


def check_origin(raw: bytes) -> None:
    """Yes or no."""
    host, _, origin = raw.partition(b"\n")
    assert is_allowed_origin({"headers": [(b"host", host), (b"origin", origin)]}) in {True, False}


def _attempt(parse: Callable[[], object], refusal: type[Exception]) -> object:
    """What comes of it: an answer, or a refusal of this kind. Anything else that is raised is a broken promise."""
    try:
        return parse()
    except refusal as error:
        return error


def _as_text(check: Callable[[str], None]) -> Callable[[bytes], None]:
    # Servers hand on what is UTF-8; surrogates are what JSON can spell, and Python can hold.
    return lambda data: check(data.decode("utf-8", "surrogateescape"))


#: By name; each takes bytes.
TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "frames": _as_text(check_frame),
    "requests": _as_text(check_request),
    "tokens": _as_text(check_token),
    "queries": check_query,
    "origins": check_origin,
}
