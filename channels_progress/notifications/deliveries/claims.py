"""Who may send: the changes of a delivery's row, each one conditional UPDATE. The package says what they are for."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, QuerySet
from django.utils import timezone

from channels_progress.conf import get_settings
from channels_progress.inbox_tables import DeliveryState
from channels_progress.models import DeliveryRecord
from channels_progress.values import clean_text

#: How long after it was asked for, and was due, a delivery that has not begun counts as lost.
LOST_AFTER_S = 60.0
ERROR_MAX_CHARS = 2_000
_TRIES = 3
_IN_ONE_STEP = 500

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Claim:
    """What one process may send, and nobody else.

    Attributes:
        token: Random; the rows have it.
        records: As they are since, oldest first: one, or all that one digest is made of.
        using: The database.
    """

    token: str
    records: tuple[DeliveryRecord, ...]
    using: str


def find_database() -> str:
    """Where the rows are written, and so read: a replica may not have them yet."""
    return router.db_for_write(DeliveryRecord)


def find_rows(using: str) -> QuerySet[DeliveryRecord]:
    """All records, of all namespaces."""
    return DeliveryRecord.objects.using(using)


def claim(record: DeliveryRecord, *, digest_s: float, using: str) -> Claim | None:
    """Take a due record, with whatever may go with it in one digest; None where somebody else has it.

    Raises:
        RuntimeError: A transaction is open: a claim that may be rolled back is none.
    """
    token, now = secrets.token_hex(16), timezone.now()
    if digest_s:
        own = find_rows(using).filter(owner=record.owner, delivery=record.delivery)
        # Each has waited until now for others: whose own wait ends later goes with this one. None is before its time.
        due = own.filter(due_at__lte=now + timedelta(seconds=digest_s))
    else:
        own = due = find_rows(using).filter(pk=record.pk)
    changes = {
        "state": DeliveryState.SENDING,
        "claim": token,
        "claimed_at": now,
        "look_at": now + timedelta(seconds=get_settings().DELIVERY_UNKNOWN_AFTER_S),
        "attempts": F("attempts") + 1,
    }
    if not _change(due.filter(state=DeliveryState.WAITING), using, is_durable=True, **changes):
        return None
    taken = tuple(own.filter(state=DeliveryState.SENDING, claim=token).order_by("pk"))
    claimed = Claim(token, taken, using)
    if record.pk in {row.pk for row in taken}:
        return claimed
    # Somebody was faster, and these came after: they wait for others in their turn.
    _give_back(claimed)
    return None


def settle(claimed: Claim, records: Collection[DeliveryRecord], state: DeliveryState, error: str = "") -> int:
    """These records of the claim have come to an end, or to UNKNOWN; how many were still its own."""
    done_at = None if state is DeliveryState.UNKNOWN else timezone.now()
    return _settle(claimed, records, state=state, error=_clean(error), done_at=done_at)


def postpone(claimed: Claim, records: Collection[DeliveryRecord], error: str, due_at: datetime) -> int:
    """These records of the claim were not sent, and are tried again then; how many were still its own."""
    look_at = due_at + timedelta(seconds=LOST_AFTER_S)
    return _settle(claimed, records, state=DeliveryState.WAITING, error=_clean(error), due_at=due_at, look_at=look_at)


def _settle(claimed: Claim, records: Collection[DeliveryRecord], **changes: Any) -> int:
    own = find_rows(claimed.using).filter(claim=claimed.token, state__in=[DeliveryState.SENDING, DeliveryState.UNKNOWN])
    ids = [record.pk for record in records]
    steps = [ids[start : start + _IN_ONE_STEP] for start in range(0, len(ids), _IN_ONE_STEP)]
    return sum(_change(own.filter(pk__in=step), claimed.using, claim="", **changes) for step in steps)


def _give_back(claimed: Claim) -> None:
    look_at = timezone.now() + timedelta(seconds=LOST_AFTER_S)
    _settle(claimed, claimed.records, state=DeliveryState.WAITING, attempts=F("attempts") - 1, look_at=look_at)


def _clean(error: str) -> str:
    return clean_text(error, "error", ERROR_MAX_CHARS)


def _change(rows: QuerySet[DeliveryRecord], using: str, *, is_durable: bool = False, **changes: Any) -> int:
    def change() -> int:
        with transaction.atomic(using=using, durable=is_durable):
            return rows.update(**changes)

    return insist(change, using)


def insist(function: Callable[[], Answer], using: str) -> Answer:
    """What ``function`` returns, tried again where the database had a passing trouble: a deadlock, a lost connection.

    Sending may take minutes, in which a connection dies. Inside a transaction nothing is tried again.
    """
    connection = connections[using]
    for _ in range(_TRIES - 1):
        try:
            return _do(function, connection)
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block:
                raise
            connection.close_if_unusable_or_obsolete()
    return _do(function, connection)


def _do(function: Callable[[], Answer], connection: BaseDatabaseWrapper) -> Answer:
    answer = function()
    # With AUTOCOMMIT off the end of an atomic block commits nothing, and others would send what was claimed here.
    if not connection.in_atomic_block and not connection.get_autocommit():
        connection.commit()
    return answer
