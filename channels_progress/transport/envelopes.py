"""What travels over the channel layer: one frame as text, with what a hub needs to know to hand it on."""

from __future__ import annotations

from typing import Any

#: The one ``type`` of our messages: a layer's consumer looks for a handler by it, and an unknown one would kill it.
HINT_TYPE = "channels_progress.hint"
ENVELOPE_VERSION = 1


def make_envelope(
    channel: str, text: str, *, replaceable: bool, exclude: str = "", notification_id: int = 0
) -> dict[str, Any]:
    """The message that carries one frame: texts and numbers only, which every layer can encode.

    Args:
        channel: What it is for; a layer's messages do not name their group.
        text: The frame.
        replaceable: A newer one of this channel makes it needless.
        exclude: The id of the one page that is not to get it.
        notification_id: Of a stored event.
    """
    kind = "r" if replaceable else "k"
    envelope = {"type": HINT_TYPE, "key": channel, "kind": kind, "version": ENVELOPE_VERSION, "text": text}
    more = {"exclude": exclude, "id": notification_id}
    return {**envelope, **{name: value for name, value in more.items() if value}}
