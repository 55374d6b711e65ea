"""What a task's keys and channels are called in Redis."""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from typing import NamedTuple

from channels_progress.events import FRAME_VERSION, TASK_CHANNEL_PREFIX, task_channel

_plain = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)


class TaskNames(NamedTuple):
    """Everything about a task's place in Redis that depends on nothing but its uid.

    Attributes:
        task: Key of the hash that holds the record.
        log: Key of the stream that holds its messages; in the same cluster slot.
        hint: The pub/sub channel of its hints.
        head: A task frame's text up to the epoch.
    """

    task: bytes
    log: bytes
    hint: bytes
    head: bytes


def name_part(text: str) -> str:
    """``text`` where it is plainly legal in a name, else a hash of it that no legal text equals."""
    if _plain.fullmatch(text):
        return text
    return "~" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=4096)
def name_task(namespace: str, uid: str) -> TaskNames:
    """The names for a task. No two namespaces share one, nor do two uids."""
    space, part = name_part(namespace), name_part(uid)
    frame = json.dumps({"type": "task", "v": FRAME_VERSION, "channel": task_channel(uid)}, separators=(",", ":"))
    return TaskNames(
        f"{space}:{{{part}}}:task".encode(),
        f"{space}:{{{part}}}:log".encode(),
        name_hints(namespace, task_channel(uid)),
        f'{frame[:-1]},"epoch":"'.encode(),
    )


def name_hints(namespace: str, channel: str) -> bytes:
    """The pub/sub channel that carries the hints of ``channel``."""
    kind, part = ("task", channel.removeprefix(TASK_CHANNEL_PREFIX))
    if not channel.startswith(TASK_CHANNEL_PREFIX):
        kind, part = ("other", channel)
    return f"{name_part(namespace)}:hint:{kind}:{name_part(part)}".encode()
