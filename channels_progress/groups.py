"""What the groups of the channel layer are called: legal names, and no two channels share one."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

# Channels allows letters, digits, hyphens, underscores and periods, fewer than 100. A period stands between the parts.
_SPACE = re.compile(r"[A-Za-z0-9_.-]{1,36}", re.ASCII)
_PART = re.compile(r"[A-Za-z0-9_-]{1,36}", re.ASCII)


@lru_cache(maxsize=4096)
def name_group(namespace: str, channel: str) -> str:
    """The group that carries what pages hear on this channel, such as ``task:<uid>``, in this namespace.

    Parts that are not plainly legal, or long, are hashed; a hash is longer than any plain part.
    """
    kind, _, part = channel.partition(":")
    if kind not in {"task", "tasks", "audience", "user"}:
        kind, part = "other", channel
    return f"{_make_legal(_SPACE, namespace)}.{kind}.{_make_legal(_PART, part)}"


def _make_legal(plain: re.Pattern[str], text: str) -> str:
    if plain.fullmatch(text):
        return text
    return "sha-" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]
