"""What waits for who was away: on every database, for each recipient apart, for each tenant apart."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_progress import inbox, send_to_all
from channels_progress.audiences import ALL, ANONYMOUS, AUTHENTICATED, Audience, channel_audience
from channels_progress.broadcast_events import html_event, message_event, progress_event, redirect_event
from channels_progress.models import Notification, Receipt, name_recipient
from tests.sent import Sent
from tests.store.databases import Router, call_at_once

ALICE, BOB, VISITOR = "user:1", "user:2", "session:s3cr3t-n0nce"
ALL_CHANNELS = [ALL.channel, AUTHENTICATED.channel, ALICE]
DAY = timedelta(days=1)
EVERY = 10_000


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def alias(request: pytest.FixtureRequest, own_databases: Any, settings: Any) -> Iterator[str]:
    """Each database in turn, with a namespace of this test's own."""
    own_databases(request.param)
    settings.DATABASE_ROUTERS = [Router(request.param)]
    settings.CHANNELS_PROGRESS = {"NAMESPACE": f"test.{secrets.token_hex(6)}"}
    yield str(request.param)
    for model in (Notification, Receipt):
        model.objects.all().delete()


def keep(*texts: str, audience: Audience = ALL, lifetime: timedelta = DAY) -> list[int]:
    """Store messages; their ids."""
    return [inbox.store(audience, message_event(text), lifetime).pk for text in texts]


def texts_for(recipient: str, *channels: str, **options: Any) -> list[str]:
    found = inbox.find_unacknowledged(recipient, channels or ALL_CHANNELS, **{"limit": EVERY, **options})
    return [notification.values["text"] for notification in found]


def newer_texts(*channels: str, after_id: int) -> list[str]:
    return [found.values["text"] for found in inbox.find_newer(channels, after_id=after_id, limit=EVERY)]


@pytest.mark.parametrize(
    "event",
    [message_event("Zażółć 🐌 <b>", level="error", click_url="/a/"), redirect_event("/a/?b=ż"), progress_event(42.5)],
    ids=["message", "redirect", "progress"],
)
def test_event_is_read_as_it_was_stored(alias: str, event: dict[str, Any]) -> None:
    stored = inbox.store(channel_audience("Zażółć 🐌 "), event, DAY)
    (found,) = inbox.find_unacknowledged(ALICE, ["Zażółć 🐌 "], limit=EVERY)
    assert (found.pk, found.event, found.channel) == (stored.pk, event, "Zażółć 🐌 ")
    assert (found.audience, found.expires_at - found.created_at) == ("channel", DAY)


def test_html_cannot_be_stored(alias: str) -> None:
    with pytest.raises(ValueError, match=r"'html'; one of message, redirect, progress"):
        inbox.store(ALL, html_event("<b>"), DAY)


def test_everything_waits_in_order_whichever_channel_it_came_by(alias: str) -> None:
    for text, audience in (("a", ALL), ("b", AUTHENTICATED), ("c", channel_audience(ALICE)), ("d", ALL)):
        keep(text, audience=audience)
    keep("of others", audience=channel_audience(BOB))
    keep("of visitors", audience=ANONYMOUS)
    assert texts_for(ALICE) == ["a", "b", "c", "d"]
    assert texts_for(ALICE, ALL.channel) == ["a", "d"]
    assert inbox.find_unacknowledged(ALICE, [], limit=EVERY) == []


def test_acknowledging_takes_it_from_nobody_else(alias: str) -> None:
    first, second, third = keep("a", "b", "c")
    inbox.acknowledge(ALICE, [first, third], ALL_CHANNELS)
    assert (texts_for(ALICE), texts_for(BOB), texts_for(VISITOR)) == (["b"], ["a", "b", "c"], ["a", "b", "c"])
    inbox.acknowledge(VISITOR, [second], [ALL.channel])
    assert (texts_for(ALICE), texts_for(BOB), texts_for(VISITOR)) == (["b"], ["a", "b", "c"], ["a", "c"])


def test_acknowledging_again_changes_nothing(alias: str) -> None:
    ids = keep("a", "b")
    inbox.acknowledge(ALICE, ids[:1], ALL_CHANNELS)
    (before,) = Receipt.objects.values_list()
    inbox.acknowledge(ALICE, [*ids, *ids], ALL_CHANNELS)
    assert Receipt.objects.order_by("pk").values_list().first() == before
    assert (texts_for(ALICE), Receipt.objects.count()) == ([], 2)


@pytest.mark.parametrize("number", [0, -1, 2**63 - 1, 2**63, 2**200])
def test_ids_of_other_channels_and_of_none_are_ignored(alias: str, number: int) -> None:
    [mine], [other] = keep("a"), keep("b", audience=channel_audience("other"))
    inbox.acknowledge(ALICE, [other, mine + 1_000, number], ALL_CHANNELS)
    inbox.acknowledge(ALICE, [mine], [])
    assert texts_for(ALICE, ALL.channel, "other") == ["a", "b"]
    assert texts_for(ALICE, after_id=number) == (["a"] if number <= 0 else [])


def test_tabs_that_acknowledge_at_once_do_not_fail(alias: str) -> None:
    ids = keep(*map(str, range(50)))
    call_at_once(*[lambda: inbox.acknowledge(ALICE, ids, ALL_CHANNELS)] * 4)
    assert (texts_for(ALICE), Receipt.objects.count()) == ([], 50)


def test_acknowledging_while_pruning_fails_on_neither_side(alias: str) -> None:
    old = keep(*map(str, range(50)), lifetime=timedelta(0))
    keep("new")
    calls = [lambda: inbox.acknowledge(ALICE, old, ALL_CHANNELS), lambda: inbox.prune()] * 2
    call_at_once(*calls)
    inbox.prune()
    assert (texts_for(BOB), Notification.objects.count(), Receipt.objects.count()) == (["new"], 1, 0)


def test_thousand_come_once_each_in_order_in_batches(alias: str) -> None:
    rows = [Notification.objects.store(ALL, message_event(str(number)), DAY) for number in range(1_000)]
    found, after_id, asked = [], 0, 0
    while batch := inbox.find_unacknowledged(ALICE, ALL_CHANNELS, after_id=after_id, limit=300):
        found += [int(notification.values["text"]) for notification in batch]
        after_id, asked = batch[-1].pk, asked + 1
    assert (found, asked) == (list(range(1_000)), 4)
    inbox.acknowledge(ALICE, [row.pk for row in rows], ALL_CHANNELS)
    assert texts_for(ALICE) == []


def test_anonymous_pages_get_what_is_newer(alias: str) -> None:
    first, second, third = keep("a", "b", "c")
    inbox.acknowledge(VISITOR, [third], [ALL.channel])
    assert newer_texts(ALL.channel, after_id=first) == ["b", "c"]
    assert newer_texts(ALL.channel, after_id=0) == ["a", "b", "c"]
    assert newer_texts(AUTHENTICATED.channel, after_id=0) == newer_texts(after_id=0) == []
    assert [found.pk for found in inbox.find_newer([ALL.channel], after_id=first, limit=1)] == [second]


def test_what_has_expired_is_not_replayed(alias: str) -> None:
    keep("old", lifetime=timedelta(0))
    [new] = keep("new")
    assert (texts_for(ALICE), newer_texts(ALL.channel, after_id=new - 2)) == (["new"], ["new"])


def test_pruning_removes_what_has_expired_in_steps(alias: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "PRUNED_IN_ONE_STEP", 3)
    ids = keep("a", "b", "c", "d", lifetime=timedelta(0)) + keep("e", "f")
    inbox.acknowledge(ALICE, ids, ALL_CHANNELS)
    assert (inbox.count_expired(), inbox.prune(), inbox.prune(), inbox.count_expired()) == (4, 4, 0, 0)
    assert list(Notification.objects.order_by("pk").values_list("pk", flat=True)) == ids[-2:]
    assert sorted(Receipt.objects.values_list("notification", flat=True)) == ids[-2:]
    assert inbox.prune(timezone.now() + DAY) == 2
    assert Receipt.objects.count() == 0


def test_tenants_never_meet(alias: str, settings: Any) -> None:
    def become(tenant: str) -> None:
        settings.CHANNELS_PROGRESS = {"NAMESPACE": lambda: tenant}

    become("acme")
    [theirs] = keep("of acme")
    become("zenith")
    [ours] = keep("of zenith")
    inbox.acknowledge(ALICE, [theirs, ours], ALL_CHANNELS)
    assert (texts_for(ALICE), newer_texts(ALL.channel, after_id=0)) == ([], ["of zenith"])
    become("acme")
    assert (texts_for(ALICE), newer_texts(ALL.channel, after_id=0)) == (["of acme"], ["of acme"])
    assert list(Notification.objects.in_space().values_list("pk", flat=True)) == [theirs]


NAMES = [
    "room",
    "Room",
    "room ",
    " room",
    "roóm",
    "ROÓM",
    "straße",
    "strasse",
    "i",
    "ı",
    "🐌",
    "🐍",
    "x" * 299 + "y",
    "x" * 300,
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_compared_exactly(alias: str, name: str) -> None:
    for other in NAMES:
        keep(f"to {other}", audience=channel_audience(other))
    assert texts_for(ALICE, name) == [f"to {name}"]


@pytest.mark.parametrize("others", [("user:Ann", "user:ann"), ("session:AbC", "session:aBc"), ("user:a ", "user:a")])
def test_recipients_are_compared_exactly(alias: str, others: tuple[str, str]) -> None:
    ids = keep("a")
    inbox.acknowledge(others[0], ids, ALL_CHANNELS)
    assert (texts_for(others[0]), texts_for(others[1])) == ([], ["a"])


def test_no_nonce_of_a_session_is_kept(alias: str) -> None:
    inbox.acknowledge(VISITOR, keep("a"), ALL_CHANNELS)
    inbox.acknowledge(ALICE, keep("b"), ALL_CHANNELS)
    kept = list(Receipt.objects.order_by("pk").values_list("recipient", flat=True))
    assert kept == [name_recipient(VISITOR), "user:1"]
    assert "s3cr3t" not in kept[0]


def test_number_of_queries_depends_on_nothing(alias: str) -> None:
    counts = []
    for many in (1, 200):
        ids = keep(*map(str, range(many)))
        with CaptureQueriesContext(connections[alias]) as finding:
            inbox.find_unacknowledged(ALICE, [*ALL_CHANNELS, *map(str, range(many))], limit=EVERY)
            inbox.find_newer(ALL_CHANNELS, after_id=0, limit=EVERY)
        with CaptureQueriesContext(connections[alias]) as acknowledging:
            inbox.acknowledge(ALICE, ids, ALL_CHANNELS)
        counts.append((len(finding), len(acknowledging)))
    assert counts[0] == counts[1]
    assert counts[0][0] == 2


def test_stored_in_a_transaction_that_fails_is_not_there(alias: str) -> None:
    with transaction.atomic(alias):
        keep("a")
        transaction.set_rollback(True, alias)
    assert texts_for(ALICE) == []


def test_sending_waits_for_the_commit_of_the_database_that_stores(alias: str, sent: Sent) -> None:
    with transaction.atomic(alias):
        assert send_to_all("a", persist=True) is True
        assert sent.frames == []
    assert [frame["text"] for frame in sent.frames] == ["a"]


@pytest.mark.parametrize(
    "call",
    [
        lambda: texts_for(ALICE),
        lambda: newer_texts(ALL.channel, after_id=0),
        lambda: inbox.acknowledge(ALICE, [1], ALL_CHANNELS),
        lambda: keep("a"),
        lambda: inbox.prune(),
    ],
    ids=["unacknowledged", "newer", "acknowledge", "store", "prune"],
)
def test_missing_table_is_an_error_of_the_database(
    alias: str, monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Notification._meta, "db_table", "not_there")
        with pytest.raises(DatabaseError):
            call()
