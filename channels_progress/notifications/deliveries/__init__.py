"""Ways a notification takes besides the inbox: e-mail, a webhook, a toast on the person's pages, or one's own.

One way of one item is one row, :class:`~channels_progress.models.DeliveryRecord`. The row is the truth; messages of a
broker only say "look at this row", so they may be lost, late or doubled. What a row may do::

              plan              claim                 succeed
    (nothing) ────► WAITING ──────────────► SENDING ──────────► SUCCEEDED
                    ▲  │ ▲  │                │ │ │
                    │  │ │  │ not needed     │ │ │ refused, or tried too often
                    │  │ │  └─► CANCELLED ◄──┘ │ └──► FAILED
                    │  │ └─────────────────────┤
                    │  │   failed, try later   │ nobody knows: the worker was killed, or the way says so
                    │  │                       └────► UNKNOWN
                    │  └ a mark of the owner (read, removed) cancels what only waited for "unread"
                    └── staff: send again (from FAILED, UNKNOWN, CANCELLED)

**Claim.** Whoever would send first turns the row from WAITING to SENDING by one conditional UPDATE, which also writes
a random claim. A row has one claim at most. It is committed before anything leaves (a claim in a transaction that may
be rolled back is refused), so no two processes send the same row.

**Settle.** Every later change by the sender is an UPDATE of the rows that have its claim, and takes the claim away:
each claim is settled once. A claim that somebody else has ended (staff sent it again) changes nothing.

The races, and how each ends:

* *Two workers, or a worker and the periodic task, take the same row*: one UPDATE finds it WAITING, the other nothing.
* *The broker loses the message, or is away when the row is written*: the row has ``look_at``; the periodic task asks
  for it again, and then after as long again as it is late, so that a long queue is not flooded with doubles.
* *The broker doubles the message, or hands it out early*: what is not WAITING is left; what is not due is asked for
  again for when it is.
* *The worker is killed before the claim*: as a lost message. *After it*: the row stays SENDING, and reads UNKNOWN once
  it is older than ``DELIVERY_UNKNOWN_AFTER_S``. Nothing sends it again by itself: it may have been sent.
* *The worker was only slow*: its claim is still there, so its success counts, although the row reads UNKNOWN meanwhile.
* *Sent, but the database did not take the success*: as killed after the claim: UNKNOWN, never a second time.
* *Staff send again what is only slow*: the claim is gone, so the slow one's success is not recorded, but logged. Two
  may arrive, as the person who pressed the button was told.
* *The person reads it while it is claimed*: the condition is asked after the claim, of the row as it is then; who reads
  it later than that gets it all the same.
* *A process dies in the middle of asking for ten thousand*: the rows are there; the periodic task asks for the rest.

A way says how it went by what its ``send`` raises, see :mod:`~channels_progress.notifications.deliveries.base`.
"""

from __future__ import annotations

from channels_progress.notifications.conditions import register_condition
from channels_progress.notifications.deliveries.base import Delivery
from channels_progress.notifications.deliveries.outgoing import OutgoingNotification
from channels_progress.notifications.deliveries.registry import get_deliveries, get_delivery

__all__ = ["Delivery", "OutgoingNotification", "get_deliveries", "get_delivery", "register_condition"]
