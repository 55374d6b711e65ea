"""Where the hints of a store go that cannot carry them itself: over the channel layer, or to this process only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from channels_progress.groups import name_group
from channels_progress.store.contract import Feed, OnHint
from channels_progress.store.layer_feed import LayerFeed
from channels_progress.store.memory_feed import MemoryFeed
from channels_progress.transport import can_send, get_sender, has_shared_layer, make_envelope


class Announcer(Protocol):
    """Tells pages what was written.

    Attributes:
        is_shared: Pages of other processes hear it, too.
    """

    is_shared: bool

    def announce(self, namespace: str, channel: str, replaceable: bool, text: str) -> None:
        """Tell whoever has joined ``channel``; see ``contract.OnHint``. Does no I/O, never raises."""

    def is_heard(self) -> bool:
        """Whether there can be anybody to tell."""

    def open_feed(self, on_hint: OnHint, on_gap: Callable[[], None]) -> Feed:
        """See ``Store.open_feed``."""


def make_announcer() -> Announcer:
    """Over the channel layer, where it is one that other processes hear."""
    return LayerAnnouncer() if has_shared_layer() else LocalAnnouncer()


class LayerAnnouncer:
    """Hints over the channel layer."""

    is_shared = True

    def announce(self, namespace: str, channel: str, replaceable: bool, text: str) -> None:
        """See ``Announcer.announce``."""
        get_sender().send(name_group(namespace, channel), make_envelope(channel, text, replaceable=replaceable))

    def is_heard(self) -> bool:
        """See ``Announcer.is_heard``."""
        return can_send()

    def open_feed(self, on_hint: OnHint, on_gap: Callable[[], None]) -> Feed:
        """See ``Store.open_feed``."""
        return LayerFeed(lambda envelope: on_hint(envelope["key"], envelope["kind"] == "r", envelope["text"]), on_gap)


class LocalAnnouncer:
    """Hints for the pages of this very process."""

    is_shared = False

    def __init__(self) -> None:
        self._feeds: list[MemoryFeed] = []

    def announce(self, namespace: str, channel: str, replaceable: bool, text: str) -> None:
        """See ``Announcer.announce``."""
        for feed in list(self._feeds):
            feed.announce((namespace, channel), replaceable, text)

    def is_heard(self) -> bool:
        """See ``Announcer.is_heard``."""
        return bool(self._feeds)

    def open_feed(self, on_hint: OnHint, on_gap: Callable[[], None]) -> Feed:
        """See ``Store.open_feed``."""
        feed = MemoryFeed(on_hint, self._feeds.remove)
        self._feeds.append(feed)
        return feed
