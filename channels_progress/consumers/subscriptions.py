"""What one socket has subscribed to: tasks and lists through the hub, everything else through the audience hub."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from channels_progress.audiences import find_audience, find_audiences, is_broadcast_channel, is_whole_audience
from channels_progress.authorization import afind_allowed, amay_subscribe
from channels_progress.conf import get_settings
from channels_progress.consumers.audience_hub import AudienceHub, get_audience_hub
from channels_progress.consumers.hub import get_hub
from channels_progress.consumers.inbox_view import InboxView
from channels_progress.consumers.listener import Listener
from channels_progress.consumers.outbox import Outbox
from channels_progress.consumers.protocol import (
    INBOX_HEAD,
    Subscribe,
    SubscribeAudiences,
    inbox_refused_text,
    refused_text,
    subscribed_text,
)
from channels_progress.consumers.query import ConnectQuery
from channels_progress.consumers.sources import Since, find_source
from channels_progress.exceptions import StoreUnavailable, TokenRefused
from channels_progress.tokens import verify_subscription_token
from channels_progress.viewers import Viewer

logger = logging.getLogger("channels_progress")


class Term(NamedTuple):
    """For how long somebody may have a channel.

    Attributes:
        expires_at: UTC seconds.
        is_asked: Until then they must be allowed by themselves as well.
    """

    expires_at: float
    is_asked: bool


_BY_THEMSELVES = Term(math.inf, is_asked=True)


class Subscriptions:
    """Those of one open socket. What is refused is answered alike, whatever the reason, but for a full socket."""

    __slots__ = ("_audience_hub", "_hub", "_inbox", "_listener", "_outbox", "_query", "_terms")

    def __init__(self, outbox: Outbox, query: ConnectQuery) -> None:
        self._outbox = outbox
        self._query = query
        self._hub = get_hub()
        self._hub.attach(outbox)
        self._terms: dict[str, Term] = {}
        self._audience_hub: AudienceHub | None = None
        self._listener: Listener | None = None
        self._inbox: InboxView | None = None

    async def add_granted(self, viewer: Viewer, frame: Subscribe) -> None:
        """Subscribe to what a token grants."""
        granted, term = await _find_granted(frame.token, viewer, frame.channel)
        await self._add(viewer, granted, frame.since, term, named=[frame.channel], ref=frame.ref)

    async def add_named(self, viewer: Viewer, channels: Collection[str], since: Mapping[str, Since]) -> None:
        """Subscribe to these channels, as far as the viewer may; each one that they may not is refused."""
        # Nobody is asked about more than could be subscribed to.
        considered = list(channels)[: get_settings().MAX_SUBSCRIPTIONS]
        allowed = await afind_allowed(viewer, considered)
        for channel in channels:
            if channel not in allowed:
                self._outbox.push(refused_text(channel, reason="" if channel in considered else "limit"))
        if allowed:
            await self._add(viewer, allowed, since, _BY_THEMSELVES, named=list(allowed))

    async def add_audiences(self, viewer: Viewer, frame: SubscribeAudiences) -> None:
        """Subscribe to the audiences that the viewer belongs to."""
        audiences = [audience.channel for audience in find_audiences(viewer)]
        await self._add(viewer, audiences, frame.since, _BY_THEMSELVES, ref=frame.ref)

    async def add_plain(self, viewer: Viewer) -> None:
        """Subscribe a client that does not speak our protocol to what it belongs to, and to what its URL asks for."""
        query, limit = self._query, get_settings().MAX_SUBSCRIPTIONS
        wanted = [audience.channel for audience in find_audiences(viewer)]
        wanted += await afind_allowed(viewer, query.channels[:limit])
        wanted = list(dict.fromkeys(wanted))[:limit]
        await self._watch(viewer, wanted, query.find_since(wanted), _BY_THEMSELVES, is_told=False)
        granted, term = await _find_granted(query.token, viewer)
        granted = [channel for channel in granted if channel not in wanted][: limit - len(wanted)]
        await self._watch(viewer, granted, query.find_since(granted), term, is_told=False)

    async def recheck(self, viewer: Viewer) -> None:
        """End what this viewer may no longer have, and tell the page, as it would be told at a new subscription."""
        now = time.time()
        for channel, term in list(self._terms.items()):
            if term.is_asked or term.expires_at < now:
                await self._recheck(channel, viewer)

    async def _recheck(self, channel: str, viewer: Viewer) -> None:
        try:
            is_allowed = await amay_subscribe(viewer, channel)
        except StoreUnavailable:
            return
        # The page may have left it meanwhile, or have come back with another token.
        term = self._terms.get(channel)
        if term is None or not (term.is_asked or term.expires_at < time.time()):
            return
        if is_allowed:
            self._terms[channel] = _BY_THEMSELVES
        else:
            self.remove(channel)
            self._outbox.push(refused_text(channel))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is subscribed to."""
        return not self._terms and self._inbox is None

    def remove(self, channel: str) -> None:
        """Unsubscribe; a channel that is not subscribed to is ignored."""
        self._terms.pop(channel, None)
        self._hub.unsubscribe(self._outbox, channel)
        if self._listener is not None and self._audience_hub is not None:
            self._audience_hub.leave(self._listener, channel)
            self._listener.forget(channel)

    def acknowledge(self, notification_id: int) -> None:
        """The page has a stored event."""
        if self._listener is not None:
            self._listener.acknowledge(notification_id)

    def open_inbox(self, viewer: Viewer, wanted: Mapping[str, Any]) -> None:
        """Answer with a page of the viewer's inbox, and again whenever it changes."""
        if not viewer.is_authenticated or viewer.is_locked_out:
            self._outbox.push(inbox_refused_text("user", "nobody is logged in"))
            return
        if self._inbox is None:
            self._inbox = InboxView(self._outbox, viewer.user, INBOX_HEAD, inbox_refused_text)
        self._inbox.ask(wanted)

    def close_inbox(self) -> None:
        """The page no longer shows the inbox."""
        if self._inbox is not None:
            self._inbox.close()
            self._inbox = None

    def close(self) -> None:
        """The socket is gone. Whoever still asks what it may have finds nothing."""
        self.close_inbox()
        self._terms.clear()
        self._hub.detach(self._outbox)
        if self._listener is not None and self._audience_hub is not None:
            self._audience_hub.detach(self._listener)
            self._listener.close()

    async def _add(
        self,
        viewer: Viewer,
        channels: Collection[str],
        since: Mapping[str, Since],
        term: Term,
        *,
        named: Collection[str | None] = (None,),
        ref: int | None = None,
    ) -> None:
        """``named``: the channels that a refusal names."""
        is_surplus = len(self._terms.keys() | set(channels)) > get_settings().MAX_SUBSCRIPTIONS
        if channels and not is_surplus:
            await self._watch(viewer, channels, since, term, ref=ref)
            return
        if channels:
            logger.info("A socket asks for more than MAX_SUBSCRIPTIONS: %d more are refused.", len(channels))
        for channel in named:
            self._outbox.push(refused_text(channel, reason="limit" if channels else "", ref=ref))

    async def _watch(
        self,
        viewer: Viewer,
        channels: Collection[str],
        since: Mapping[str, Since],
        term: Term,
        *,
        is_told: bool = True,
        ref: int | None = None,
    ) -> None:
        self._terms.update(dict.fromkeys(channels, term))
        if stored := {channel: since.get(channel) for channel in channels if find_source(channel)}:
            await self._hub.subscribe(self._outbox, stored)
        if heard := [channel for channel in channels if channel not in stored]:
            hub, listener = self._listen(viewer)
            listener.expect()
            await hub.join(listener, heard)
            known = {channel: offset for channel, (_, offset) in since.items()}
            begun = await listener.find_beginnings(channel for channel in heard if channel not in known)
            # What was lost meanwhile has been refused.
            heard = [channel for channel in heard if channel in self._terms]
            for channel in heard if is_told else ():
                self._outbox.push(subscribed_text(channel, ref=ref, begun_at=begun.get(channel)))
            listener.listen(heard, {**begun, **known})

    def _listen(self, viewer: Viewer) -> tuple[AudienceHub, Listener]:
        if self._audience_hub is None or self._listener is None:
            self._audience_hub = get_audience_hub()
            self._listener = Listener(self._outbox, self._query.page_id, viewer.owner_key, is_html=self._query.is_html)
        return self._audience_hub, self._listener


async def _find_granted(token: str, viewer: Viewer, only: str | None = None) -> tuple[list[str], Term]:
    """The channels of a token, or the one that is meant, as far as it counts; and for how long it does."""
    try:
        grant = verify_subscription_token(token, viewer)
    except TokenRefused:
        return [], _BY_THEMSELVES
    channels = [channel for channel in grant.channels if only is None or channel == only]
    channels = [channel for channel in channels if find_source(channel) or _can_be_granted(channel)]
    if grant.is_asked:
        channels = await afind_allowed(viewer, channels)
    return channels, Term(grant.expires_at, grant.is_asked)


def _can_be_granted(channel: str) -> bool:
    """Whether a token counts for this channel: what is switched off is off, and nobody is made part of an audience."""
    if not is_broadcast_channel(channel):
        return False
    audience = find_audience(channel)
    return audience.is_enabled and not is_whole_audience(audience)
