"""Carries out one delivery: claims it, asks its condition, sends it, and writes down how it went."""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from channels_progress.conf import get_settings, make_pinned_context
from channels_progress.exceptions import DeliveryNotNeeded, DeliveryRefused, DeliveryUncertain
from channels_progress.inbox_tables import DeliveryState
from channels_progress.models import DeliveryRecord, Notice
from channels_progress.notifications.conditions import find_condition
from channels_progress.notifications.deliveries.base import Delivery
from channels_progress.notifications.deliveries.claims import Claim, claim, find_database, find_rows, postpone, settle
from channels_progress.notifications.deliveries.dispatching import ask_for
from channels_progress.notifications.deliveries.outgoing import OutgoingNotification, load_outgoing
from channels_progress.notifications.deliveries.registry import get_delivery
from channels_progress.notifications.preferences import find_refusals

logger = logging.getLogger(__name__)

LONGEST_BACKOFF_S = 3_600.0
GONE = "The notification is gone, or its person is, or cannot log in."
UNWANTED = "The person does not want it any more."
NOT_DUE = "It was not needed any more: the condition {condition!r} did not hold."

Ready = Sequence[tuple[DeliveryRecord, OutgoingNotification]]


def deliver(record_id: int, *, interruptions: tuple[type[BaseException], ...] = ()) -> DeliveryState | None:
    """Carry out one delivery, if it waits and is due. Harmless to call twice, or from several processes at once.

    Args:
        record_id: The key of its record.
        interruptions: What the surroundings may raise in the middle of sending, so that nobody knows how it went.

    Returns:
        How it stands now; None where there was nothing to do here.
    """
    using = find_database()
    record = find_rows(using).filter(pk=record_id, state=DeliveryState.WAITING).first()
    if record is None:
        return None
    if record.due_at > timezone.now():
        # The message came early: another clock, or a broker that hands out long countdowns again.
        _ask_again([record], record.due_at)
        return None
    delivery, problem = _find_delivery(record.delivery)
    # A worker answers for all tenants: what is sent is sent in the namespace of who has said it.
    context = make_pinned_context(_find_namespace(record, using))
    claimed = claim(record, digest_s=delivery.digest_s if delivery else 0, using=using)
    if claimed is None:
        return None
    return context.run(_carry_out, claimed, delivery, problem, interruptions)


def _find_delivery(name: str) -> tuple[Delivery | None, str]:
    try:
        return get_delivery(name), ""
    except (ValueError, ImproperlyConfigured) as error:
        # It may be known after the next deployment.
        return None, f"{type(error).__name__}: {error}"


def _find_namespace(record: DeliveryRecord, using: str) -> str:
    found = Notice.objects.using(using).filter(items=record.item_id).values_list("namespace", flat=True)
    # Without a notice there is nothing to send.
    return found.first() or ""


def _carry_out(
    claimed: Claim, delivery: Delivery | None, problem: str, interruptions: tuple[type[BaseException], ...]
) -> DeliveryState:
    if delivery is None:
        return _retry(claimed, claimed.records, problem)
    try:
        ready = list(_find_ready(claimed))
    except Exception as error:
        # Nothing has left: the database of the users may be away.
        logger.warning("What is to be delivered cannot be read: %s.", _name(claimed.records), exc_info=True)
        return _retry(claimed, claimed.records, _describe(error))
    if not ready:
        return DeliveryState.CANCELLED
    records = [record for record, _ in ready]
    uncertain: tuple[type[BaseException], ...] = (DeliveryUncertain, *interruptions)
    try:
        _send(delivery, [notification for _, notification in ready])
    except DeliveryNotNeeded as error:
        return _settle(claimed, records, DeliveryState.CANCELLED, str(error))
    except DeliveryRefused as error:
        logger.warning("Delivery %s of %s failed for good: %s", delivery.name, _name(records), error)
        return _settle(claimed, records, DeliveryState.FAILED, str(error))
    except uncertain as error:
        logger.warning("Delivery %s of %s may have been sent or not: %s", delivery.name, _name(records), error)
        return _settle(claimed, records, DeliveryState.UNKNOWN, _describe(error))
    except Exception as error:
        logger.warning("Delivery %s of %s failed.", delivery.name, _name(records), exc_info=True)
        return _retry(claimed, records, _describe(error))
    except BaseException as error:
        _settle(claimed, records, DeliveryState.UNKNOWN, _describe(error))
        raise
    return _settle(claimed, records, DeliveryState.SUCCEEDED)


def _find_ready(claimed: Claim) -> Iterator[tuple[DeliveryRecord, OutgoingNotification]]:
    """What of the claim is to be sent; the rest is settled."""
    outgoing = load_outgoing(claimed.records, claimed.using)
    refused = _find_refused_kinds(claimed, {notification.kind for notification in outgoing.values()})
    for record in claimed.records:
        notification = outgoing.get(record.item_id)
        if notification is None or notification.kind in refused:
            settle(claimed, [record], DeliveryState.CANCELLED, UNWANTED if notification else GONE)
            continue
        try:
            is_due = not record.condition or find_condition(record.condition)(notification)
        except Exception as error:
            logger.warning("The condition %r of %s failed.", record.condition, _name([record]), exc_info=True)
            _retry(claimed, [record], f"condition {record.condition!r}: {_describe(error)}")
            continue
        if is_due:
            yield record, notification
        else:
            settle(claimed, [record], DeliveryState.CANCELLED, NOT_DUE.format(condition=record.condition))


def _find_refused_kinds(claimed: Claim, kinds: Collection[str]) -> set[str]:
    """The kinds that the person does not want by this way any more: they may have said so while it waited."""
    owner, way = claimed.records[0].owner, claimed.records[0].delivery
    found = {kind: find_refusals([owner], kind, [way], using=claimed.using) for kind in kinds}
    return {kind for kind, refusals in found.items() if owner in refusals[""] or owner in refusals[way]}


def _send(delivery: Delivery, notifications: Sequence[OutgoingNotification]) -> None:
    if len(notifications) == 1:
        delivery.send(notifications[0])
    else:
        delivery.send_digest(notifications)


def _settle(
    claimed: Claim, records: Collection[DeliveryRecord], state: DeliveryState, error: str = ""
) -> DeliveryState:
    if settle(claimed, records, state, error) < len(records):
        logger.warning("%s is %s, but was taken from this worker meanwhile.", _name(records), state)
    return state


def _retry(claimed: Claim, records: Collection[DeliveryRecord], error: str) -> DeliveryState:
    last = get_settings().DELIVERY_ATTEMPTS
    if spent := [record for record in records if record.attempts >= last]:
        _settle(claimed, spent, DeliveryState.FAILED, error)
    if again := [record for record in records if record.attempts < last]:
        due_at = timezone.now() + timedelta(seconds=find_backoff_s(max(record.attempts for record in again)))
        postpone(claimed, again, error, due_at)
        _ask_again(again, due_at)
    return DeliveryState.WAITING if again else DeliveryState.FAILED


def find_backoff_s(attempts: int) -> float:
    """How long to wait after so many attempts: twice as long each time, not all at the same moment, at most an hour."""
    longest = min(get_settings().DELIVERY_BACKOFF_S * 2.0 ** min(attempts - 1, 30), LONGEST_BACKOFF_S)
    return longest * random.uniform(0.5, 1)  # noqa: S311  nothing secret


def _ask_again(records: Collection[DeliveryRecord], due_at: datetime) -> None:
    if (due_at - timezone.now()).total_seconds() <= get_settings().DELIVERY_COUNTDOWN_MAX_S:
        ask_for([record.pk for record in records], due_at)


def _name(records: Collection[DeliveryRecord]) -> str:
    return f"record {', '.join(str(record.pk) for record in list(records)[:10])}"


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
