"""Tells many channels the same: a few each by their own group, a crowd by messages that name them.

A **crowd message** goes to one group, which the hub of every server process joins while it has listeners, and names up
to ``CHUNK`` channels. So ten thousand people are told by twenty messages, where a group for each would take as many
messages as there are people.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any

from channels_progress.events import encode_json
from channels_progress.groups import name_group
from channels_progress.transport.envelopes import make_envelope

#: What crowd messages are for, besides the channels they name. Nobody can subscribe to it.
CROWD_CHANNEL = "audience:crowd"
#: More channels than this are a crowd.
FEW = 20
#: Channels that one message names: some kilobytes.
CHUNK = 500

#: A group of the layer, and what is sent there.
Message = tuple[str, dict[str, Any]]


def address_many(
    namespace: str, channels: Sequence[str], make_text: Callable[[str], str], *, replaceable: bool, exclude: str = ""
) -> Iterator[Message]:
    """What to send, and where, so that each of these channels gets it.

    Args:
        make_text: The frame for this channel; for an empty name the same without ``channel``.
        replaceable: As for ``make_envelope``, as long as they are few.
        exclude: As for ``make_envelope``.
    """
    if len(channels) <= FEW:
        for channel in channels:
            envelope = make_envelope(channel, make_text(channel), replaceable=replaceable, exclude=exclude)
            yield name_group(namespace, channel), envelope
        return
    group, text = name_group(namespace, CROWD_CHANNEL), make_text("")
    for start in range(0, len(channels), CHUNK):
        # Never replaceable: the next one is for others.
        envelope = make_envelope(CROWD_CHANNEL, text, replaceable=False, exclude=exclude)
        yield group, {**envelope, "keys": list(channels[start : start + CHUNK])}


def open_crowd(envelope: Mapping[str, Any], wanted: Container[str]) -> list[dict[str, Any]]:
    """The envelopes that a crowd message stands for, of the channels that are wanted here.

    ``among`` says how many they are.
    """
    channels = [channel for channel in envelope["keys"] if channel in wanted]
    common = {name: value for name, value in envelope.items() if name != "keys"}
    text = envelope["text"].removesuffix("}")
    return [
        {**common, "key": channel, "text": f'{text},"channel":{encode_json(channel)}}}', "among": len(channels)}
        for channel in channels
    ]
