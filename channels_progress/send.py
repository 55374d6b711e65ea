"""The one way of an event to the channel layer: whatever is broadcast passes through ``send`` or ``asend``.

Both answer ``True`` once the layer has taken the event, or will get it after the commit; ``None`` where the audience's
switch is off; ``False`` where the layer did not take it, which is logged. Neither raises because of the layer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DEFAULT_DB_ALIAS, transaction

from channels_progress.audiences import Audience
from channels_progress.broadcast_events import Event, event_text
from channels_progress.conf import get_namespace
from channels_progress.groups import name_group
from channels_progress.transport import address_many, get_sender, make_envelope


@dataclass(frozen=True, slots=True)
class Parcel:
    """An event on its way.

    Attributes:
        audience: Who should see it.
        event: As ``broadcast_events`` makes it.
        exclude: The id of a page that should not, or an empty string.
        notification_id: Of the stored one, or 0.
    """

    audience: Audience
    event: Event
    exclude: str = ""
    notification_id: int = 0


def send(parcel: Parcel, *, on_commit: bool | str = False) -> bool | None:
    """Send an event; ``on_commit`` waits for the transaction of that database (True: the default one) to succeed."""
    if not parcel.audience.is_enabled:
        return None
    # Now, not after the commit: the namespace may be that of a request, and a test may have stopped listening.
    group, envelope = _address(parcel)
    take = _find_taker(parcel)

    def deliver() -> bool:
        return take() if take else get_sender().deliver(group, envelope)

    return _do(deliver, on_commit)


def send_many(
    audiences: Iterable[Audience], event: Event, *, exclude: str = "", on_commit: bool | str = False
) -> bool | None:
    """Send an event to each of these audiences: a crowd of them by a few messages, see ``transport.crowds``.

    Each gets it once, however often it is named. As ``send`` otherwise, and True only if the layer took all of it.
    """
    enabled = {audience.channel: audience for audience in audiences if audience.is_enabled}
    if not enabled:
        return None
    take = next(reversed(_takers), None)
    make_text, replaceable = partial(event_text, event), event["type"] == "progress"
    # Now, as in send().
    messages = [*address_many(get_namespace(), [*enabled], make_text, replaceable=replaceable, exclude=exclude)]

    def deliver() -> bool:
        if take:
            answers = [take(Parcel(audience, event, exclude)) for audience in enabled.values()]
            return all(answers)
        return get_sender().deliver_each(messages)

    return _do(deliver, on_commit)


def _do(deliver: Callable[[], bool], on_commit: bool | str) -> bool:
    if not on_commit:
        return deliver()
    answers: list[bool] = []
    alias = on_commit if isinstance(on_commit, str) else DEFAULT_DB_ALIAS
    transaction.on_commit(lambda: answers.append(deliver()), using=alias)
    # Without a transaction it has happened.
    return answers[0] if answers else True


async def asend(parcel: Parcel, *, on_commit: bool | str = False) -> bool | None:
    """As ``send``, without blocking the event loop."""
    if on_commit:
        # Transactions belong to the thread of Django's synchronous code.
        return await sync_to_async(send)(parcel, on_commit=on_commit)
    if not parcel.audience.is_enabled:
        return None
    group, envelope = _address(parcel)
    if take := _find_taker(parcel):
        return take()
    return await get_sender().adeliver(group, envelope)


_takers: tuple[Callable[[Parcel], bool], ...] = ()
_takers_lock = threading.Lock()


@contextmanager
def divert(take: Callable[[Parcel], bool]) -> Iterator[None]:
    """While it lasts, give what is sent in this process to ``take`` in place of the layer; the innermost one gets it.

    For :mod:`channels_progress.testing.broadcasts`. What was sent meanwhile and waits for a commit goes there, too.
    """
    global _takers
    # One of its own, so that it is this one that is removed, whoever else leaves first.
    entry = partial(take)
    with _takers_lock:
        _takers = (*_takers, entry)
    try:
        yield
    finally:
        with _takers_lock:
            _takers = tuple(taker for taker in _takers if taker is not entry)


def _find_taker(parcel: Parcel) -> Callable[[], bool] | None:
    # Read once: another thread may take the last one away.
    takers = _takers
    return partial(takers[-1], parcel) if takers else None


def _address(parcel: Parcel) -> tuple[str, dict[str, Any]]:
    channel, event = parcel.audience.channel, parcel.event
    envelope = make_envelope(
        channel,
        event_text(event, channel, parcel.notification_id),
        # A newer percentage takes the place of one that still waits for a slow page; a stored one must be acknowledged.
        replaceable=event["type"] == "progress" and not parcel.notification_id,
        exclude=parcel.exclude,
        notification_id=parcel.notification_id,
    )
    return name_group(get_namespace(), channel), envelope
