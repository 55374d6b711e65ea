"""What a way of delivery is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from channels_progress.models import Notice
    from channels_progress.notifications.deliveries.outgoing import OutgoingNotification


class Delivery:
    """A way that notifications take. The options of ``DELIVERIES`` are its keyword arguments.

    One instance serves a whole process, and any of its threads.

    What ``send`` raises says how it went:

    * nothing: it was sent;
    * ``DeliveryRefused``: failed for good;
    * ``DeliveryNotNeeded``: there is nobody to send it to;
    * ``DeliveryUncertain``: it may have been sent or not, so it is not tried again;
    * anything else: it was not sent, and is tried again later, up to ``DELIVERY_ATTEMPTS`` times.

    Attributes:
        name: What it is called in ``notify(deliveries=…)``: its key in ``DELIVERIES``.
        digest_s: How long one person's notifications wait for others, to be sent as one; 0: each by itself.
        is_immediate: Whether it needs no record, where there is neither a countdown nor a condition: ``announce`` then
            tells everybody at once, from the process that calls ``notify``.
    """

    name: str = ""
    digest_s: float = 0
    is_immediate: ClassVar[bool] = False

    def send(self, notification: OutgoingNotification) -> None:
        """Send one notification to its person."""
        raise NotImplementedError(f"{type(self).__name__} has no send().")

    def send_digest(self, notifications: Sequence[OutgoingNotification]) -> None:
        """Send several to the one person they are all for, oldest first. Only where ``digest_s`` is set."""
        raise NotImplementedError(f"{type(self).__name__} has no send_digest(), which digest_s is for.")

    def announce(self, notice: Notice, user_pks: Sequence[str], *, on_commit: str | None) -> None:
        """Tell all these people, after the commit on this database or now. Only where it ``is_immediate``."""
        raise NotImplementedError(f"{type(self).__name__} has no announce(), which is_immediate is for.")
