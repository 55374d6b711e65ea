"""Deliveries for tests, and dispatchers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from channels_progress.conf import get_namespace
from channels_progress.notifications.deliveries import Delivery, OutgoingNotification

#: The texts that were sent, each with the name of the delivery; several for a digest.
sent: list[tuple[str, ...]] = []
#: In whose name.
namespaces: list[str] = []
#: What a dispatcher was asked for.
asked: list[tuple[list[int], datetime]] = []


class Recorder(Delivery):
    """Notes what it sends, or raises."""

    raises: Callable[[], BaseException] | None = None

    def send(self, notification: OutgoingNotification) -> None:
        """Note it."""
        if Recorder.raises:
            raise Recorder.raises()
        namespaces.append(get_namespace())
        sent.append((self.name, notification.text))


class Digest(Recorder):
    """The same, several as one."""

    def __init__(self, digest_s: float = 60) -> None:
        self.digest_s = digest_s

    def send_digest(self, notifications: Sequence[OutgoingNotification]) -> None:
        """Note all of them."""
        if Recorder.raises:
            raise Recorder.raises()
        sent.append((self.name, *(notification.text for notification in notifications)))


def leave(record_ids: Sequence[int], due_at: datetime) -> None:
    """A dispatcher that leaves it to the test."""
    asked.append((list(record_ids), due_at))


def refuse(record_ids: Sequence[int], due_at: datetime) -> None:
    """A dispatcher whose broker is away."""
    raise ConnectionError("nobody there")


def is_short(notification: OutgoingNotification) -> bool:
    """A condition."""
    return len(notification.text) < 10
