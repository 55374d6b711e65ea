"""The audience hub joins what has listeners and leaves what has none, however slow the layer is, and whatever fails."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest
from channels.layers import InMemoryChannelLayer

from channels_progress.consumers import audience_hub, resync
from channels_progress.consumers.audience_hub import AudienceHub, get_audience_hub
from channels_progress.consumers.listener import Listener
from channels_progress.groups import name_group
from channels_progress.store import layer_feed
from channels_progress.transport import make_envelope
from tests.consumers.doubles import Page
from tests.waiting import await_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store")]


class UnrulyLayer(InMemoryChannelLayer):  # type: ignore[misc]  # channels has no types
    """A layer whose groups can be slow to join or leave, or not be joined or left at all.

    Attributes:
        refusals: How many joins fail.
        chance: Makes some fail, and all take a while.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refusals = 0
        self.chance: random.Random | None = None

    async def group_add(self, group: str, channel: str) -> None:
        await self._suffer()
        if self.refusals:
            self.refusals -= 1
            raise OSError
        await super().group_add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        await self._suffer()
        await super().group_discard(group, channel)

    async def _suffer(self) -> None:
        if self.chance:
            for _ in range(self.chance.randrange(5)):
                await asyncio.sleep(0)
            if not self.chance.randrange(3):
                raise OSError

    async def tell(self, channel: str, text: str) -> None:
        envelope = make_envelope(channel, f'{{"text":"{text}"}}', replaceable=False)
        await self.group_send(name_group("channels_progress", channel), envelope)


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> Iterator[UnrulyLayer]:
    layer = UnrulyLayer()
    monkeypatch.setattr(layer_feed, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(resync, "FIRST_PAUSE_S", 0.01)
    yield layer
    # A leave that has failed is forgotten: the layer does so by itself in the end.
    assert layer.chance or not layer.groups


class Ear:
    """A listener with the other end of its socket."""

    def __init__(self) -> None:
        self.page = Page()
        self.listener = Listener(self.page.outbox)

    @property
    def heard(self) -> list[str]:
        return [frame["text"] for frame in self.page.frames]


async def retire(hub: AudienceHub, *ears: Ear) -> None:
    for ear in ears:
        hub.detach(ear.listener)
    await await_until(lambda: not audience_hub._tasks)
    assert get_audience_hub() is not hub


async def test_a_group_that_could_not_be_joined_is_joined_later(layer: UnrulyLayer) -> None:
    hub, ear = get_audience_hub(), Ear()
    layer.refusals = 3
    await hub.join(ear.listener, ["news"])
    await await_until(lambda: layer.groups)
    await layer.tell("news", "heard")
    await await_until(lambda: ear.heard == ["heard"])
    await retire(hub, ear)


@pytest.mark.parametrize("seed", range(12))
async def test_in_whatever_order_they_come_and_go_who_listens_hears(layer: UnrulyLayer, seed: int) -> None:
    layer.chance = chance = random.Random(seed)
    hub, ears = get_audience_hub(), [Ear() for _ in range(4)]
    channels, wanted = ("a", "b", "c"), {(0, "a")}
    joins = [asyncio.create_task(hub.join(ears[0].listener, ["a"]))]
    for _ in range(150):
        number, channel = chance.randrange(4), chance.choice(channels)
        if chance.randrange(2):
            joins.append(asyncio.create_task(hub.join(ears[number].listener, [channel])))
            wanted.add((number, channel))
            # A join takes place at once, and is then waited for: by a socket that may be gone any time.
            await asyncio.sleep(0)
            chance.choice([joins[-1].cancel, lambda: None])()
        elif (number, channel) != (0, "a"):
            hub.leave(ears[number].listener, channel)
            wanted.discard((number, channel))
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
    await asyncio.gather(*joins, return_exceptions=True)
    await await_until(lambda: not (hub._settling or hub._refused))
    for channel in channels:
        await layer.tell(channel, channel)
    await await_until(lambda: sum(len(ear.heard) for ear in ears) == len(wanted))
    assert {(number, text) for number, ear in enumerate(ears) for text in ear.heard} == wanted
    await retire(hub, *ears)


async def test_who_comes_while_a_hub_retires_has_another_one(layer: UnrulyLayer) -> None:
    hub, first, second = get_audience_hub(), Ear(), Ear()
    await hub.join(first.listener, ["news"])
    hub.detach(first.listener)
    following = get_audience_hub()
    assert following is not hub
    await following.join(second.listener, ["news"])
    await await_until(lambda: len(audience_hub._tasks) == 2)
    await layer.tell("news", "heard")
    await await_until(lambda: second.heard == ["heard"])
    assert first.heard == []
    await retire(following, second)


async def test_without_a_layer_sockets_live_and_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(layer_feed, "get_channel_layer", lambda: None)
    hub, ear = get_audience_hub(), Ear()
    await hub.join(ear.listener, ["news"])
    assert hub.get_channels(ear.listener) == {"news"}
    assert caplog.messages == ["Nothing arrives over the channel layer for now: NoChannelLayer."]
    await retire(hub, ear)
