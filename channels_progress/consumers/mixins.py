"""For a project's own consumers that want to hear broadcasts beside what they do themselves."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from typing import Any

from channels.db import database_sync_to_async

from channels_progress.audiences import find_audiences, is_broadcast_channel
from channels_progress.authorization import afind_allowed
from channels_progress.broadcast_events import event_text
from channels_progress.conf import get_namespace
from channels_progress.consumers.listener import get_inbox
from channels_progress.consumers.query import parse_query
from channels_progress.consumers.visitors import load_viewer
from channels_progress.groups import name_group
from channels_progress.transport import CROWD_CHANNEL, ENVELOPE_VERSION, note_local_loop, open_crowd
from channels_progress.viewers import Viewer

__all__ = ["AudienceConsumerMixin"]

logger = logging.getLogger("channels_progress")


class AudienceConsumerMixin:
    """Lets an ``AsyncJsonWebsocketConsumer`` join audiences and channels, and send what waits for its viewer.

        class DashboardConsumer(AudienceConsumerMixin, AsyncJsonWebsocketConsumer):
            async def connect(self):
                await self.accept()
                await self.join_audiences()
                await self.join_channels(["articles.article-42"])
                await self.send_missed()

    Each event comes as a dict to ``receive_broadcast``, which sends it on as JSON; override it to do something else.
    """

    _broadcast_groups: dict[str, str]
    _broadcast_sent: set[int]
    _broadcast_crowd: str = ""
    _broadcast_viewer: Viewer | None = None

    async def join_audiences(self) -> list[str]:
        """Join the audiences that the viewer belongs to, as far as they are switched on; the channels joined."""
        viewer = await self.get_viewer()
        return await self._join(audience.channel for audience in find_audiences(viewer))

    async def join_channels(self, channels: Iterable[str], *, trusted: bool = False) -> list[str]:
        """Join these channels, of objects or named, as far as ``SUBSCRIPTION_AUTHORIZER`` allows; those joined.

        Args:
            channels: Their names.
            trusted: The consumer has decided itself: nobody is asked.
        """
        allowed = list(channels) if trusted else await afind_allowed(await self.get_viewer(), channels)
        return await self._join(allowed)

    async def leave_channel(self, channel: str) -> None:
        """Leave a channel; one that was not joined is ignored."""
        if group := self._groups.pop(channel, None):
            await self.channel_layer.group_discard(group, self.channel_name)  # type: ignore[attr-defined]

    async def send_missed(self, *, limit: int = 100) -> int:
        """Send the oldest stored events of the joined channels that the viewer has not acknowledged; how many."""
        viewer = await self.get_viewer()
        if not viewer.owner_key:
            return 0
        find = database_sync_to_async(get_inbox().find_unacknowledged)
        rows = await find(viewer.owner_key, list(self._groups), limit=limit)
        # What was stored after the join may be in the channel as well.
        self._broadcast_sent = {row.pk for row in rows}
        for row in rows:
            await self.receive_broadcast(json.loads(event_text(row.event, row.channel, row.id)))
        return len(rows)

    async def acknowledge(self, *ids: int) -> None:
        """The page has these stored events of the joined channels."""
        viewer = await self.get_viewer()
        if viewer.owner_key:
            await database_sync_to_async(get_inbox().acknowledge)(viewer.owner_key, ids, list(self._groups))

    async def get_viewer(self) -> Viewer:
        """Who is behind the socket."""
        if self._broadcast_viewer is None:
            self._broadcast_viewer = await load_viewer(self.scope)  # type: ignore[attr-defined]
        return self._broadcast_viewer

    async def receive_broadcast(self, event: dict[str, Any]) -> None:
        """Called with each event, a frame as ``docs/serving.md`` describes it; sends it to the page as JSON."""
        await self.send_json(event)  # type: ignore[attr-defined]

    async def channels_progress_hint(self, envelope: dict[str, Any]) -> None:
        """What the channel layer delivers; channels finds this method by the type of the message."""
        if envelope.get("version") != ENVELOPE_VERSION:
            return
        if "keys" in envelope:
            for one in open_crowd(envelope, self._groups):
                await self.channels_progress_hint(one)
            return
        if envelope.get("key") not in self._groups:
            return
        if envelope.get("id", 0) in getattr(self, "_broadcast_sent", ()):
            return
        page_id = parse_query(self.scope).page_id  # type: ignore[attr-defined]
        if not (page_id and envelope.get("exclude") == page_id):
            await self.receive_broadcast(json.loads(envelope["text"]))

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """Leave all channels, whatever ``disconnect`` does."""
        try:
            for channel in list(self._groups):
                await self.leave_channel(channel)
            if self._broadcast_crowd:
                await self.channel_layer.group_discard(self._broadcast_crowd, self.channel_name)  # type: ignore[attr-defined]
        except Exception as error:
            # The layer forgets the groups by itself. Only the type: the text may hold an address with its password.
            logger.debug("Groups could not be left: %s.", type(error).__name__)
        await super().websocket_disconnect(message)  # type: ignore[misc]

    @property
    def _groups(self) -> dict[str, str]:
        if not hasattr(self, "_broadcast_groups"):
            self._broadcast_groups = {}
        return self._broadcast_groups

    async def _join(self, channels: Iterable[str]) -> list[str]:
        note_local_loop(asyncio.get_running_loop())
        joined = [channel for channel in channels if is_broadcast_channel(channel)]
        if joined and not self._broadcast_crowd:
            # What is sent to very many at once comes there.
            self._broadcast_crowd = name_group(get_namespace(), CROWD_CHANNEL)
            await self.channel_layer.group_add(self._broadcast_crowd, self.channel_name)  # type: ignore[attr-defined]
        for channel in joined:
            self._groups[channel] = name_group(get_namespace(), channel)
            await self.channel_layer.group_add(self._groups[channel], self.channel_name)  # type: ignore[attr-defined]
        return joined
