"""The way to the channel layer: envelopes, and the one sender of this process."""

from __future__ import annotations

from channels_progress.transport.crowds import CROWD_CHANNEL, address_many, open_crowd
from channels_progress.transport.envelopes import ENVELOPE_VERSION, HINT_TYPE, make_envelope
from channels_progress.transport.layers import can_send, has_shared_layer
from channels_progress.transport.local import note_local_loop
from channels_progress.transport.sender import Sender, get_sender

__all__ = [
    "CROWD_CHANNEL",
    "ENVELOPE_VERSION",
    "HINT_TYPE",
    "Sender",
    "address_many",
    "can_send",
    "get_sender",
    "has_shared_layer",
    "make_envelope",
    "note_local_loop",
    "open_crowd",
]
