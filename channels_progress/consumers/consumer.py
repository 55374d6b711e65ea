"""The consumer behind each page's socket: lets it in, parses what it sends, and leaves all watching to the hub."""

from __future__ import annotations

from channels_progress.conf import get_settings
from channels_progress.consumers.guarded import INBOX_WEIGHT, GuardedConsumer
from channels_progress.consumers.origins import is_allowed_origin, log_refusal
from channels_progress.consumers.protocol import (
    PONG_TEXT,
    SUBPROTOCOL,
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
from channels_progress.consumers.query import parse_query
from channels_progress.consumers.subscriptions import Subscriptions
from channels_progress.consumers.visitors import get_session_key
from channels_progress.tokens import has_valid_signature
from channels_progress.viewers import Viewer

#: An acknowledgement answers what was sent: thousands may, where as many were stored.
ACKNOWLEDGEMENT_WEIGHT = 0.05
#: Tokens that are looked at in one handshake: each costs a signature, and a header has room for thousands.
TOKENS_OFFERED_MAX = 4


class ProgressConsumer(GuardedConsumer):
    """One page's socket, for whatever the page shows."""

    _subscriptions: Subscriptions | None = None

    async def _connect(self) -> None:
        # Here, and not only around the route: a project may route to this consumer by itself.
        if not is_allowed_origin(self.scope):
            log_refusal(self.scope)
            await self._refuse()
        self._query = parse_query(self.scope)
        offered = self.scope.get("subprotocols") or []
        is_plain = SUBPROTOCOL not in offered
        tokens = [name for name in (*offered, self._query.token) if name != SUBPROTOCOL]
        if not await self._may_connect(tokens[:TOKENS_OFFERED_MAX]):
            await self._refuse()
        self._subscriptions = Subscriptions(self._outbox, self._query)
        # Never the token, which stands beside it.
        await self._accept(None if is_plain else SUBPROTOCOL)
        if is_plain:
            await self._subscriptions.add_plain(await self._get_viewer())
        if self._query.is_inbox and not self._query.is_html:
            self._subscriptions.open_inbox(await self._get_viewer(), {})

    async def _may_connect(self, tokens: list[str]) -> bool:
        if get_settings().ENABLE_ANONYMOUS or any(map(has_valid_signature, tokens)):
            return True
        if not get_session_key(self.scope) and "user" not in self.scope:
            return False
        viewer = await self._get_viewer()
        return bool(getattr(viewer.user, "is_authenticated", False)) and not viewer.is_locked_out

    def _close_views(self) -> None:
        if self._subscriptions is not None:
            self._subscriptions.close()

    async def _recheck_views(self, viewer: Viewer) -> None:
        if self._subscriptions is not None:
            await self._subscriptions.recheck(viewer)

    @property
    def _is_idle(self) -> bool:
        return self._subscriptions is None or self._subscriptions.is_empty

    async def _handle(self, text: str | None) -> None:
        subscriptions = self._subscriptions
        # The forms of an htmx page are no frames.
        if subscriptions is None or self._query.is_html:
            return
        match parse_frame(text, max_bytes=get_settings().MAX_FRAME_BYTES):
            case Subscribe() as frame:
                await subscriptions.add_granted(await self._get_viewer(), frame)
            case SubscribeChannels(channels, since):
                # Each is a question to the authorizer; asked for one by one they would be as many frames.
                self._count_frames(len(channels) - 1)
                await subscriptions.add_named(await self._get_viewer(), channels, since)
            case SubscribeAudiences() as frame:
                await subscriptions.add_audiences(await self._get_viewer(), frame)
            case Unsubscribe(channel):
                subscriptions.remove(channel)
            case Acknowledge(notification_id):
                self._count_frames(ACKNOWLEDGEMENT_WEIGHT - 1)
                subscriptions.acknowledge(notification_id)
            case OpenInbox() | CloseInbox() as frame:
                await self._handle_inbox(subscriptions, frame)
            case Ping():
                self._outbox.push(PONG_TEXT)

    async def _handle_inbox(self, subscriptions: Subscriptions, frame: OpenInbox | CloseInbox) -> None:
        if isinstance(frame, CloseInbox):
            subscriptions.close_inbox()
        else:
            self._count_frames(INBOX_WEIGHT - 1)
            subscriptions.open_inbox(await self._get_viewer(), frame.wanted)
