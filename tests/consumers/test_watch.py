"""What the hub knows of one channel."""

from __future__ import annotations

import json

import pytest

from channels_progress.consumers.sources import Reading, Sight
from channels_progress.consumers.watch import Watch
from channels_progress.events import encode_json
from channels_progress.records import Liveness

LIVE, STALLED = Liveness.LIVE, Liveness.STALLED


def hint(epoch: str = "e", attempt: int = 1, seq: int = 5, *offsets: int, channel: str = "task:t") -> str:
    """The head is as the stores write it."""
    head = {"type": "task", "v": 1, "channel": channel, "epoch": epoch, "attempt": attempt, "seq": seq, "now": 1}
    return encode_json({**head, "state": {}, "messages": [{"offset": offset} for offset in offsets]})


@pytest.fixture
async def watch() -> Watch:
    """One whose members have all had (e, 1, 5), and messages up to 2."""
    watch = Watch("task:t")
    watch.take_reading(Reading(Sight("e", 1, 5, LIVE), 2, ""))
    return watch


@pytest.mark.parametrize(
    ("sight", "differs"),
    [
        (Sight("e", 1, 5, LIVE), False),
        # The page of a task that does not run was told so by the state.
        (Sight("e", 1, 5, None), False),
        (Sight("e", 1, 5, STALLED), True),
        (Sight("e", 1, 6, LIVE), True),
        (Sight("e", 2, 1, LIVE), True),
        # A hint was quicker than the store's answer, or the store was restored from an older copy.
        (Sight("e", 1, 4, STALLED), False),
        (Sight("f", 1, 1, LIVE), True),
    ],
)
async def test_only_news_differ(watch: Watch, sight: Sight, differs: bool) -> None:
    assert watch.differs_from(sight) == differs


async def test_hint_is_news_for_nobody_afterwards(watch: Watch) -> None:
    assert watch.take_hint(hint(seq=6), replaceable=True)
    assert not watch.differs_from(Sight("e", 1, 6, LIVE))
    # An older one that comes late takes nothing back.
    assert watch.take_hint(hint(seq=3), replaceable=True)
    assert not watch.differs_from(Sight("e", 1, 6, LIVE))
    assert not watch.stale


async def test_messages_count_up_to_the_first_gap(watch: Watch) -> None:
    watch.take_hint(hint("e", 1, 6, 3, 4), replaceable=False)
    assert (watch.since, watch.stale) == (("e", 4), False)
    watch.take_hint(hint("e", 1, 7, 6), replaceable=False)
    assert (watch.since, watch.stale) == (("e", 4), True)


async def test_another_epoch_waits_for_a_reading(watch: Watch) -> None:
    assert not watch.take_hint(hint("f", 1, 1), replaceable=True)
    assert (watch.since, watch.stale) == (("e", 2), True)
    watch.take_reading(Reading(Sight("f", 1, 1, LIVE), 0, ""))
    assert watch.since == ("f", 0)
    assert watch.take_hint(hint("f", 1, 2), replaceable=True)


async def test_strange_channel_names_do_not_hide_the_version(watch: Watch) -> None:
    assert watch.take_hint(hint(seq=9, channel='task:"\\,"epoch":"x'), replaceable=True)
    assert not watch.differs_from(Sight("e", 1, 9, LIVE))


async def test_hint_that_cannot_be_read_is_sent_but_not_relied_on(watch: Watch) -> None:
    assert watch.take_hint(json.dumps({"type": "task"}), replaceable=True)
    assert watch.stale
