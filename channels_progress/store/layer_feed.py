"""Envelopes from the channel layer for one event loop: one channel of the layer, however many groups are joined.

A receive is never cancelled to go on with the channel afterwards. On an error all is begun anew: another channel, which
joins every group again. A layer forgets its groups after ``group_expiry``, so they are joined again well before.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

from channels.layers import get_channel_layer

from channels_progress.conf import get_namespace, get_settings
from channels_progress.exceptions import StoreUnavailable
from channels_progress.groups import name_group
from channels_progress.transport import ENVELOPE_VERSION, HINT_TYPE, note_local_loop

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
#: The share of ``group_expiry`` after which groups are joined again, and what counts where a layer tells none.
RENEWED_AFTER = 0.25
DEFAULT_EXPIRY_S = 86_400.0


#: Called with each envelope of a channel that is joined.
OnEnvelope = Callable[[dict[str, Any]], None]


class NoChannelLayer(Exception):
    """There are no ``CHANNEL_LAYERS``. The log gives its name."""


class LayerFeed:
    """What comes over the channel layer, for the event loop it is made in.

    Args:
        on_envelope: Called with every envelope (``transport.make_envelope``) of a channel that is joined.
        on_gap: Called after some may have been lost, once all joined groups are joined again.
    """

    def __init__(self, on_envelope: OnEnvelope, on_gap: Callable[[], None]) -> None:
        self._on_envelope = on_envelope
        self._on_gap = on_gap
        self._groups: dict[str, str] = {}
        self._layer: Any = None
        self._channel = ""
        self._ready = asyncio.Event()
        self._missed = False
        self._closed = False

    async def join(self, channel: str) -> None:
        """See ``Feed.join``."""
        self._groups[channel] = group = name_group(get_namespace(), channel)
        try:
            async with asyncio.timeout(get_settings().STORE_TIMEOUT_S):
                await self._ready.wait()
                await self._layer.group_add(group, self._channel)
        except Exception as error:
            self._missed = True
            raise StoreUnavailable("The channel layer did not join a group in time.") from error

    async def leave(self, channel: str) -> None:
        """See ``Feed.leave``."""
        if group := self._groups.pop(channel, None):
            await self._discard(group)

    async def run(self) -> None:
        """See ``Feed.run``."""
        failures = 0
        while not self._closed:
            try:
                await self._connect()
                failures = 0
                await self._serve()
            except Exception as error:
                failures += 1
                if failures == 1:
                    # Only the type: the text may hold an address with its password.
                    logger.warning("Nothing arrives over the channel layer for now: %s.", type(error).__name__)
            finally:
                self._ready.clear()
                self._missed = True
            pause_s = min(FIRST_PAUSE_S * 2.0**failures, LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311  no secret

    async def close(self) -> None:
        """See ``Feed.close``."""
        self._closed = True
        groups, self._groups = list(self._groups.values()), {}
        for group in groups:
            await self._discard(group)

    async def _connect(self) -> None:
        note_local_loop(asyncio.get_running_loop())
        self._layer = get_channel_layer()
        if self._layer is None:
            raise NoChannelLayer
        self._channel = await self._layer.new_channel()
        await self._join_all()
        self._ready.set()
        if self._missed:
            self._missed = False
            self._on_gap()

    async def _serve(self) -> None:
        """Deliver until something fails, which raises."""
        tasks = [asyncio.create_task(work()) for work in (self._deliver, self._renew)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if not isinstance(outcome, asyncio.CancelledError | None):
                raise outcome

    async def _deliver(self) -> None:
        while True:
            self._hand_on(await self._layer.receive(self._channel))

    async def _renew(self) -> None:
        expiry_s = float(getattr(self._layer, "group_expiry", None) or DEFAULT_EXPIRY_S)
        while True:
            await asyncio.sleep(expiry_s * RENEWED_AFTER)
            await self._join_all()

    async def _join_all(self) -> None:
        for group in list(self._groups.values()):
            await self._layer.group_add(group, self._channel)

    async def _discard(self, group: str) -> None:
        if not self._ready.is_set():
            return
        try:
            async with asyncio.timeout(get_settings().STORE_TIMEOUT_S):
                await self._layer.group_discard(group, self._channel)
        except Exception as error:
            # What still comes is not handed on, and the layer forgets the group by itself.
            logger.debug("A group could not be left: %s.", type(error).__name__)

    def _hand_on(self, envelope: dict[str, Any]) -> None:
        if envelope.get("type") != HINT_TYPE or envelope.get("version") != ENVELOPE_VERSION:
            return
        if envelope["key"] in self._groups:
            try:
                self._on_envelope(envelope)
            except Exception:
                # One must not cost the connection; what a hint said is found by the next resync.
                logger.exception("What came over the channel layer was not handled.")
