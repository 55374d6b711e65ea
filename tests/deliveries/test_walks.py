"""Whatever order things happen in, a row moves as the docstring of the package says, and a claim is settled once."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from channels_progress.inbox_tables import DeliveryState
from channels_progress.models import DeliveryRecord
from channels_progress.notifications import notify
from channels_progress.notifications.deliveries.claims import Claim, claim, postpone, settle
from channels_progress.notifications.deliveries.resending import RESENDABLE, send_again
from channels_progress.notifications.deliveries.sweeping import mark_unknown

STEPS = 60
ENDS = (DeliveryState.SUCCEEDED, DeliveryState.FAILED, DeliveryState.CANCELLED, DeliveryState.UNKNOWN)
PAST = timedelta(seconds=1)

pytestmark = pytest.mark.django_db


@dataclass
class Walk:
    """One row, what it should be, and all claims that anybody ever had."""

    chance: random.Random
    pk: int
    state: str = "WAITING"
    token: str = ""
    claims: list[Claim] = field(default_factory=list)
    successes: int = 0

    def try_to_claim(self) -> None:
        """Somebody would send it."""
        claimed = claim(DeliveryRecord.objects.get(pk=self.pk), digest_s=0, using="default")
        assert bool(claimed) == (self.state == "WAITING")
        if claimed:
            self.claims.append(claimed)
            self.state, self.token = "SENDING", claimed.token

    def say_how_it_went(self) -> None:
        """Somebody who has claimed it, now or long ago, comes to an end."""
        if not self.claims:
            return
        claimed, state = self.chance.choice(self.claims), self.chance.choice([*ENDS, DeliveryState.WAITING])
        if state == "WAITING":
            counts = postpone(claimed, claimed.records, "away", timezone.now() - PAST)
        else:
            counts = settle(claimed, claimed.records, state)
        is_own = bool(self.token) and claimed.token == self.token
        assert counts == is_own
        if is_own:
            self.state, self.token = str(state), ""
            self.successes += state == "SUCCEEDED"

    def give_up(self) -> None:
        """Nobody was heard of for long enough."""
        DeliveryRecord.objects.filter(pk=self.pk, state="SENDING").update(look_at=timezone.now() - PAST)
        assert mark_unknown() == (self.state == "SENDING")
        self.state = "UNKNOWN" if self.state == "SENDING" else self.state

    def resend(self) -> None:
        """Staff press the button."""
        assert send_again([self.pk]) == ([self.pk] if self.state in RESENDABLE else [])
        if self.state in RESENDABLE:
            self.state, self.token = "WAITING", ""

    def check(self) -> None:
        """The row is what it should be."""
        record = DeliveryRecord.objects.get(pk=self.pk)
        assert (record.state, record.claim) == (self.state, self.token)
        assert (record.done_at is not None) == (self.state in {"SUCCEEDED", "FAILED", "CANCELLED"})
        # Nothing that has succeeded is sent again, by staff neither.
        assert self.successes <= 1


@pytest.mark.parametrize("seed", range(12))
def test_row_moves_as_it_may_in_any_order(alice: User, change_settings: Callable[..., None], seed: int) -> None:
    change_settings()
    notify(alice, "Hello", deliveries=["recorder"], on_commit=False)
    walk = Walk(random.Random(seed), DeliveryRecord.objects.get().pk)
    steps = [walk.try_to_claim, walk.say_how_it_went, walk.give_up, walk.resend]
    for _ in range(STEPS):
        walk.chance.choice(steps)()
        walk.check()
    assert len(walk.claims) == len({claimed.token for claimed in walk.claims})
