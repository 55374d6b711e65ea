"""The delivery to the pages that a person has open: a toast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from channels_progress.audiences import USER_CHANNEL_PREFIX, find_audience, user_audience
from channels_progress.broadcast_events import message_event
from channels_progress.exceptions import DeliveryNotNeeded
from channels_progress.models import Notice
from channels_progress.notifications.deliveries.base import Delivery
from channels_progress.notifications.deliveries.outgoing import OutgoingNotification
from channels_progress.send import Parcel, send, send_many


class WebsocketDelivery(Delivery):
    """Shows the text on whatever pages the person has open. Nobody is told where there are none: the inbox has it."""

    is_immediate: ClassVar[bool] = True

    def send(self, notification: OutgoingNotification) -> None:
        """Show it on the pages of one person."""
        event = message_event(notification.text, level=notification.level, click_url=notification.link or None)
        sent = send(Parcel(user_audience(notification.user), event))
        if sent is None:
            raise DeliveryNotNeeded("ENABLE_AUTHENTICATED is off: users are not sent anything.")
        if not sent:
            raise ConnectionError("The channel layer does not answer.")

    def announce(self, notice: Notice, user_pks: Sequence[str], *, on_commit: str | None) -> None:
        """Show it on the pages of all these people. A layer that does not answer is logged there."""
        event = message_event(notice.text, level=notice.level, click_url=notice.url or None)
        audiences = (find_audience(f"{USER_CHANNEL_PREFIX}{user_pk}") for user_pk in user_pks)
        send_many(audiences, event, on_commit=on_commit or False)
